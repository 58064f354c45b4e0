/* A stream that is read with a cursor (S, P), by owners that come and go. README.md says what stands for what.
 *
 * Transaction i inserts message i, a bit. It takes its number, its id and its commit at three different times. Of a snapshot, Max is one past
 * the last number that has ended, and Xip has the lower ones that were running, a bit each.
 */
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef HANDOVERS
#define HANDOVERS 1
#endif
#define RELAYS 2
#define NONE RELAYS
#define PAGES 2

mtype:state = { absent, running, inserted, committed, aborted };
mtype:state is[MESSAGES] = absent;
byte xid[MESSAGES];
byte id[MESSAGES];
byte nextXid = 1;
byte nextID = 1;
byte nowMax = 1;              /* of a snapshot that is taken now */
byte nowXip = 0;

/* The stream's row, and who has its lock. */
byte storedMax = 1;
byte storedXip = 0;
byte storedPosition = 0;
byte owner = NONE;

/* A session, and what its relay knows. */
bool alive[RELAYS] = true;
bool owns[RELAYS];
bool knows[RELAYS];           /* it has loaded the cursor */
bool drains[RELAYS];
byte readMax[RELAYS];
byte readXip[RELAYS];
byte readPosition[RELAYS];
/* Pages in flight, the oldest first: their messages, the cursor behind them, and whether all is settled. */
byte page[RELAYS * PAGES];
byte pageMax[RELAYS * PAGES];
byte pageXip[RELAYS * PAGES];
byte pagePosition[RELAYS * PAGES];
bool settled[RELAYS * PAGES];

byte crashes = 0;
byte handovers = 0;
byte delivered = 0;
byte repeated = 0;
byte excused = 0;             /* what was in flight when a session ended */

#define first(r) ((r) * PAGES)
#define last(r) ((r) * PAGES + 1)
#define seenBy(m, xmax, xip) (xid[m] < xmax && !(xip & (1 << xid[m])))
#ifdef XIP_ALONE
#define isLate(m, r) (is[m] == committed && id[m] <= readPosition[r] && (readXip[r] & (1 << xid[m])))
#else
#define isLate(m, r) (is[m] == committed && id[m] <= readPosition[r] && !seenBy(m, readMax[r], readXip[r]))
#endif
#define isFresh(m, r) (is[m] == committed && id[m] > readPosition[r])

/* A transaction ends: a snapshot that is taken now has another Max, or another Xip. */
inline finish(how) {
    d_step {
        is[me] = how;
        nowMax = (xid[me] >= nowMax -> xid[me] + 1 : nowMax);
        nowXip = 0;
        n = 0;
        do
        :: n < MESSAGES ->
            if
            :: (is[n] == running || is[n] == inserted) && xid[n] < nowMax -> nowXip = nowXip | (1 << xid[n])
            :: else
            fi;
            n++
        :: else -> break
        od;
        n = 0
    }
}

proctype Transaction(byte me) {
    byte n = 0;
    d_step { xid[me] = nextXid; nextXid++; is[me] = running; n = 0 };
    /* Message 1 has the key of message 0: their transactions wait for each other, as for a row that both change. */
    d_step { (me != 1 || is[0] == committed || is[0] == aborted) -> id[me] = nextID; nextID++; is[me] = inserted };
    if
    :: true -> finish(committed)
    :: me == 2 -> finish(aborted)
    fi
}

inline load() {
    readMax[me] = storedMax;
    readXip[me] = storedXip;
    readPosition[me] = storedPosition;
    knows[me] = true
}

/* The oldest page is forgotten. */
inline shift() {
    page[first(me)] = page[last(me)];
    pageMax[first(me)] = pageMax[last(me)];
    pageXip[first(me)] = pageXip[last(me)];
    pagePosition[first(me)] = pagePosition[last(me)];
    settled[first(me)] = settled[last(me)];
    page[last(me)] = 0; pageMax[last(me)] = 0; pageXip[last(me)] = 0; pagePosition[last(me)] = 0; settled[last(me)] = false
}

inline forget() { shift(); shift(); owns[me] = false; knows[me] = false; drains[me] = false; readMax[me] = 0; readXip[me] = 0; readPosition[me] = 0 }

inline settle(k) {
    repeated = repeated | (delivered & page[k]);
    delivered = delivered | page[k];
    settled[k] = true;
    /* Order by key. */
    assert(!(page[k] & 2) || is[0] != committed || (delivered & 1));
    /* Nothing is delivered twice but what was in flight when a session ended. */
    assert((repeated & ~excused) == 0)
}

proctype Relay(byte me) {
    byte n = 0;
    byte lowest = 0;
    byte found = 0;
end:
    do
#ifdef LOAD_BEFORE_LOCK
    :: d_step { alive[me] && !owns[me] && !knows[me] && owner == NONE && page[first(me)] == 0 -> load() }
    :: d_step { alive[me] && !owns[me] && knows[me] && owner == NONE -> owner = me; owns[me] = true }
#else
    /* Takes the lock, and then reads the row. */
    :: d_step { alive[me] && !owns[me] && owner == NONE && page[first(me)] == 0 -> owner = me; owns[me] = true }
    :: d_step { alive[me] && owns[me] && !knows[me] -> load() }
#endif
    /* Reads what is late, and the next message that is fresh. */
    :: d_step {
        alive[me] && owns[me] && knows[me] && !drains[me] && page[last(me)] == 0 &&
        (readMax[me] != nowMax || readXip[me] != nowXip || isFresh(0, me) || isFresh(1, me) || isFresh(2, me)) ->
        found = 0;
        lowest = 255;
        do
        :: n < MESSAGES ->
            if
            :: isLate(n, me) -> found = found | (1 << n)
            :: else
            fi;
            if
            :: isFresh(n, me) && (lowest == 255 || id[n] < id[lowest]) -> lowest = n
            :: else
            fi;
            n++
        :: else -> break
        od;
        readMax[me] = nowMax;
        readXip[me] = nowXip;
        if
        :: lowest != 255 -> found = found | (1 << lowest); readPosition[me] = id[lowest]
        :: else
        fi;
        n = (page[first(me)] -> last(me) : first(me));
        if
        :: found ->
            page[n] = found; pageMax[n] = readMax[me]; pageXip[n] = readXip[me]; pagePosition[n] = readPosition[me]
        :: else
        fi;
        n = 0; lowest = 0; found = 0
    }
    /* Everything of a page is settled. What has one key is delivered in order, the rest as it comes. */
    :: d_step { page[first(me)] && !settled[first(me)] -> settle(first(me)) }
    :: d_step {
        page[last(me)] && !settled[last(me)] && (settled[first(me)] || !(page[first(me)] & 1) || !(page[last(me)] & 2)) ->
        settle(last(me))
    }
    /* Moves the cursor behind the oldest page, in the session that has the lock. */
    :: d_step {
#ifdef UNFENCED
        page[first(me)] && settled[first(me)] ->
#else
        alive[me] && page[first(me)] && settled[first(me)] ->
#endif
        storedMax = pageMax[first(me)];
        storedXip = pageXip[first(me)];
        storedPosition = pagePosition[first(me)];
        shift();
        /* What the cursor passes was delivered. */
        do
        :: n < MESSAGES ->
            assert(is[n] != committed || id[n] > storedPosition || !seenBy(n, storedMax, storedXip) || (delivered & (1 << n)));
            n++
        :: else -> break
        od;
        n = 0
    }
    /* Hands the stream over: stops reading, settles, commits, and only then gives up the lock. */
    :: d_step { alive[me] && owns[me] && knows[me] && !drains[me] && handovers > 0 -> handovers--; drains[me] = true }
    :: d_step {
#ifdef IN_FLIGHT
        alive[me] && drains[me] ->
#else
#ifdef RELEASE_BEFORE_COMMIT
        alive[me] && drains[me] && (page[first(me)] == 0 || settled[first(me)]) && (page[last(me)] == 0 || settled[last(me)]) ->
#else
        alive[me] && drains[me] && page[first(me)] == 0 ->
#endif
#endif
        owner = NONE;
        owns[me] = false; knows[me] = false; drains[me] = false; readMax[me] = 0; readXip[me] = 0; readPosition[me] = 0
    }
    /* The server ends a session. Its relay goes on, until it finds out. */
    :: d_step {
        alive[me] && owner == me && crashes > 0 ->
        crashes--;
        alive[me] = false;
        owner = NONE;
        excused = excused | page[first(me)] | page[last(me)]
    }
    :: d_step { !alive[me] -> forget(); alive[me] = true }
    od
}

/* When nothing more happens, everything that was committed is delivered. */
active proctype Quiet() {
    byte n = 0;
    timeout ->
    d_step {
        do
        :: n < MESSAGES -> assert(is[n] != committed || (delivered & (1 << n))); n++
        :: else -> break
        od;
        n = 0
    }
}

init {
    byte p = 0;
    atomic {
        /* Or none: then all is to be well in the end too. */
        if
        :: crashes = CRASHES
        :: CRASHES > 0
        fi;
        if
        :: handovers = HANDOVERS
        :: HANDOVERS > 0
        fi;
        do
        :: p < MESSAGES -> run Transaction(p); p++
        :: else -> break
        od;
        run Relay(0);
        run Relay(1);
        p = 0
    }
}
