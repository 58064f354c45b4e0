/* A stream that is split and merged again. README.md says what stands for what.
 *
 * Transaction i inserts message i, a bit, as in cursor.pml. Messages 0 and 1 have one key and so one slot, message 2 has another slot. There
 * are two rows: row 0 has all slots, or the first one while row 1 has the other.
 */
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef WISHES
#define WISHES 1
#endif
#ifndef BY_HAND
#define BY_HAND 0
#endif
#define RELAYS 2
#define ROWS 2
#define NONE RELAYS
#define OPERATOR (RELAYS + 1) /* who splits or merges has the locks of both rows */
#define ALL 7                 /* the messages of all slots, of the first, of the second */
#define FIRST 3
#define SECOND 4

mtype:state = { absent, running, inserted, committed, aborted };
mtype:state is[MESSAGES] = absent;
byte xid[MESSAGES];
byte id[MESSAGES];
byte nextXid = 1;
byte nextID = 1;
byte nowMax = 1;
byte nowXip = 0;

/* The rows: their slots (0: there is no such row), their cursors, who has their locks, and which an operator waits for. */
byte slots[ROWS];
byte storedMax[ROWS] = 1;
byte storedXip[ROWS];
byte storedPosition[ROWS];
byte owner[ROWS] = NONE;
mtype:wish = { nothing, toSplit, toMerge };
mtype:wish wish = nothing;
byte wishes = 0;
byte hands = 0;

/* What a relay knows of each row: one page of it may be in flight. */
bool owns[RELAYS * ROWS];
byte knows[RELAYS * ROWS];    /* the slots that it reads with; 0: it has not loaded the row */
byte readMax[RELAYS * ROWS];
byte readXip[RELAYS * ROWS];
byte readPosition[RELAYS * ROWS];
bool isComplete[RELAYS * ROWS];
byte page[RELAYS * ROWS];
bool settled[RELAYS * ROWS];

byte aside = 0;               /* messages in deferred, all due */
byte crashes = 0;
byte delivered = 0;
byte excused = 0;

#define at(row) (me * ROWS + (row))
#define seenBy(m, xmax, xip) (xid[m] < xmax && !(xip & (1 << xid[m])))
#define isOf(m, k) (is[m] == committed && (knows[k] & (1 << (m))))
#define isLate(m, k) (isOf(m, k) && id[m] <= readPosition[k] && !seenBy(m, readMax[k], readXip[k]))
#define isFresh(m, k) (isOf(m, k) && id[m] > readPosition[k])
#define isNew(k) (readMax[k] != nowMax || readXip[k] != nowXip || isFresh(0, k) || isFresh(1, k) || isFresh(2, k) || !isComplete[k])

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
    d_step { xid[me] = nextXid; nextXid++; is[me] = running };
#ifdef TWO_KEYS
    d_step { id[me] = nextID; nextID++; is[me] = inserted };
#else
    d_step { (me != 1 || is[0] == committed || is[0] == aborted) -> id[me] = nextID; nextID++; is[me] = inserted };
#endif
    finish(committed)
}

/* What cursors pass was delivered, or is aside. */
inline check() {
    n = 0;
    do
    :: n < MESSAGES ->
        assert(is[n] != committed || ((delivered | aside) & (1 << n)) || !(slots[0] & (1 << n)) || id[n] > storedPosition[0] || !seenBy(n, storedMax[0], storedXip[0]));
        assert(is[n] != committed || ((delivered | aside) & (1 << n)) || !(slots[1] & (1 << n)) || id[n] > storedPosition[1] || !seenBy(n, storedMax[1], storedXip[1]));
        n++
    :: else -> break
    od;
    n = 0
}

inline forget(k) {
    owns[k] = false; knows[k] = 0; readMax[k] = 0; readXip[k] = 0; readPosition[k] = 0; isComplete[k] = false; page[k] = 0; settled[k] = false
}

inline load(k, row) {
    knows[k] = slots[row]; readMax[k] = storedMax[row]; readXip[k] = storedXip[row]; readPosition[k] = storedPosition[row]; isComplete[k] = false
}

/* Late, and the next that is fresh. Only a look that finds nothing fresh has read to the end. */
inline read(k) {
    found = 0;
    lowest = 255;
    n = 0;
    do
    :: n < MESSAGES ->
        if
        :: isLate(n, k) -> found = found | (1 << n)
        :: else
        fi;
        if
        :: isFresh(n, k) && (lowest == 255 || id[n] < id[lowest]) -> lowest = n
        :: else
        fi;
        n++
    :: else -> break
    od;
    readMax[k] = nowMax;
    readXip[k] = nowXip;
    isComplete[k] = lowest == 255;
    if
    :: lowest != 255 -> found = found | (1 << lowest); readPosition[k] = id[lowest]
    :: else
    fi;
    page[k] = found;
    n = 0; lowest = 0; found = 0
}

/* Nothing is delivered twice but what was in flight when a session ended, or a row was changed by hand; and a key's messages are in order. */
inline settle(k, row) {
    excused = (knows[k] == slots[row] -> excused : excused | page[k]);
    assert((delivered & page[k] & ~excused) == 0);
    delivered = delivered | page[k];
    settled[k] = true;
#ifndef TWO_KEYS
    assert(!(page[k] & 2) || is[0] != committed || (delivered & 1))
#endif
}

/* Moves the cursor of a row, if it has the slots still that it was read with. */
#ifdef NO_SLOTS_CHECK
#define mayMove(k, row) (slots[row])
#else
#define mayMove(k, row) (slots[row] && slots[row] == knows[k])
#endif
inline commit(k, row) {
    storedMax[row] = readMax[k];
    storedXip[row] = readXip[k];
    storedPosition[row] = readPosition[k];
    page[k] = 0;
    settled[k] = false;
    check()
}

inline remove(row) { slots[row] = 0; storedMax[row] = 1; storedXip[row] = 0; storedPosition[row] = 0 }

inline copy() { slots[0] = FIRST; slots[1] = SECOND; storedMax[1] = storedMax[0]; storedXip[1] = storedXip[0]; storedPosition[1] = storedPosition[0] }

/* A row of the relay's. One that an operator waits for is not read. */
#define reads(row) (owns[at(row)] && knows[at(row)] && !page[at(row)] && wish == nothing)

/* A message of a key waits for those of it that are aside. */
#ifdef OVERTAKES
#define waitsForKey(k) false
#else
#define waitsForKey(k) ((page[k] & 2) && (aside & 1))
#endif

/* Delivered and removed in one transaction: what is in flight when a session ends is in cursor.pml. */
inline settleAside(k) {
    lowest = 255;
    n = 0;
    do
    :: n < MESSAGES ->
        if
        :: (aside & knows[k] & (1 << n)) && (lowest == 255 || id[n] < id[lowest]) -> lowest = n
        :: else
        fi;
        n++
    :: else -> break
    od;
    assert((delivered & (1 << lowest) & ~excused) == 0);
    delivered = delivered | (1 << lowest);
    aside = aside & ~(1 << lowest);
#ifndef TWO_KEYS
    assert(lowest != 1 || is[0] != committed || (delivered & 1));
#endif
    n = 0; lowest = 0
}

/* What of a row's messages has not been read, by its stored cursor. */
#define isUnread(m, row) (is[m] == committed && (slots[row] & (1 << (m))) && (id[m] > storedPosition[row] || !seenBy(m, storedMax[row], storedXip[row])))

#ifdef SPLIT_IN_FLIGHT
#define mayRelease(row) (owns[at(row)] && knows[at(row)])
#else
#define mayRelease(row) (owns[at(row)] && knows[at(row)] && !page[at(row)])
#endif

/* One cursor for both: at the end of what is visible. What one of them has not read is put aside. */
inline merge() {
    n = 0;
    do
    :: n < MESSAGES ->
        if
        :: isUnread(n, 0) || isUnread(n, 1) -> aside = aside | (1 << n)
        :: else
        fi;
        n++
    :: else -> break
    od;
#ifdef NOT_ASIDE
    aside = 0;
#endif
#ifdef FURTHEST_CURSOR
    n = (storedPosition[0] >= storedPosition[1] -> 0 : 1);
    storedMax[0] = storedMax[n]; storedXip[0] = storedXip[n]; storedPosition[0] = storedPosition[n];
#else
    storedMax[0] = nowMax;
    storedXip[0] = nowXip;
#ifdef FURTHEST_POSITION
    storedPosition[0] = (storedPosition[0] >= storedPosition[1] -> storedPosition[0] : storedPosition[1]);
#else
    storedPosition[0] = nextID - 1;
#endif
#endif
    slots[0] = ALL;
    remove(1);
    n = 0;
    check()
}

proctype Relay(byte me) {
    byte n = 0;
    byte lowest = 0;
    byte found = 0;
end:
    do
    :: d_step { !owns[at(0)] && owner[0] == NONE && !page[at(0)] && wish == nothing -> owner[0] = me; owns[at(0)] = true }
    :: d_step { !owns[at(1)] && slots[1] && owner[1] == NONE && !page[at(1)] && wish == nothing -> owner[1] = me; owns[at(1)] = true }
    :: d_step { owns[at(0)] && !knows[at(0)] -> load(at(0), 0) }
    :: d_step { owns[at(1)] && !knows[at(1)] && slots[1] -> load(at(1), 1) }
    :: d_step { reads(0) && isNew(at(0)) -> read(at(0)) }
    :: d_step { reads(1) && isNew(at(1)) -> read(at(1)) }
    :: d_step { owns[at(0)] && (aside & knows[at(0)]) && wish == nothing -> settleAside(at(0)) }
    :: d_step { owns[at(1)] && (aside & knows[at(1)]) && wish == nothing -> settleAside(at(1)) }
    :: d_step { page[at(0)] && !settled[at(0)] && !waitsForKey(at(0)) -> settle(at(0), 0) }
    :: d_step { page[at(1)] && !settled[at(1)] -> settle(at(1), 1) }
    :: d_step { settled[at(0)] && mayMove(at(0), 0) -> commit(at(0), 0) }
    :: d_step { settled[at(1)] && mayMove(at(1), 1) -> commit(at(1), 1) }
    /* A row that has other slots now, or is gone, is let go, and loaded again. */
    :: d_step { owns[at(0)] && knows[at(0)] && knows[at(0)] != slots[0] -> forget(at(0)); owns[at(0)] = true }
    :: d_step { owns[at(1)] && knows[at(1)] != slots[1] && !slots[1] -> forget(at(1)); owner[1] = NONE }
    /* What an operator waits for is handed over when nothing of it is on its way, and all that was read is committed. */
    :: d_step { wish != nothing && mayRelease(0) -> owner[0] = NONE; forget(at(0)) }
    :: d_step { wish != nothing && mayRelease(1) -> owner[1] = NONE; forget(at(1)) }
    /* A session ends. What its relay does afterwards is in cursor.pml. */
    :: d_step {
        (owner[0] == me || owner[1] == me) && crashes > 0 ->
        crashes--;
        owner[0] = (owner[0] == me -> NONE : owner[0]);
        owner[1] = (owner[1] == me -> NONE : owner[1]);
        excused = excused | page[at(0)] | page[at(1)];
        forget(at(0));
        forget(at(1))
    }
    od
}

active proctype Operator() {
    byte n = 0;
end:
    do
    :: d_step { wishes > 0 && wish == nothing && slots[0] == ALL -> wishes--; wish = toSplit }
    :: d_step { wishes > 0 && wish == nothing && slots[0] == FIRST -> wishes--; wish = toMerge }
    :: d_step { wish != nothing && owner[0] == NONE -> owner[0] = OPERATOR }
    :: d_step { wish != nothing && slots[1] && owner[1] == NONE -> owner[1] = OPERATOR }
    /* One transaction, of the session that has the locks; then it gives them up. */
    :: d_step { wish == toSplit && owner[0] == OPERATOR -> copy(); check(); owner[0] = NONE; wish = nothing }
    :: d_step { wish == toMerge && owner[0] == OPERATOR && owner[1] == OPERATOR -> merge(); owner[0] = NONE; owner[1] = NONE; wish = nothing }
    /* Its session ends before that: nothing has changed. */
    :: d_step {
        wish != nothing && crashes > 0 ->
        crashes--;
        owner[0] = (owner[0] == OPERATOR -> NONE : owner[0]);
        owner[1] = (owner[1] == OPERATOR -> NONE : owner[1]);
        wish = nothing
    }
    /* By hand, without any lock: what is in flight comes again. After a merge by hand everything does. */
    :: d_step {
        hands > 0 && wish == nothing && slots[0] == ALL ->
        hands--;
        copy();
        excused = excused | page[0] | page[2]
    }
    :: d_step {
        hands > 0 && wish == nothing && slots[0] == FIRST ->
        hands--;
        slots[0] = ALL;
        storedMax[0] = 1; storedXip[0] = 0; storedPosition[0] = 0;
        remove(1);
        excused = ALL
    }
    od
}

/* When nothing more happens, everything that was committed is delivered, and no operator waits for a row. */
active proctype Quiet() {
    byte n = 0;
    timeout ->
    d_step {
        assert(wish == nothing);
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
        :: wishes = WISHES
        :: WISHES > 0
        fi;
        if
        :: hands = BY_HAND
        :: BY_HAND > 0
        fi;
        /* It begins as a whole, or in parts. */
        if
        :: slots[0] = ALL
        :: slots[0] = FIRST; slots[1] = SECOND
        fi;
        owner[0] = 0;
        owns[0] = true;
        knows[0] = slots[0];
        readMax[0] = 1;
        do
        :: p < MESSAGES -> run Transaction(p); p++
        :: else -> break
        od;
        run Relay(0);
        run Relay(1);
        p = 0
    }
}
