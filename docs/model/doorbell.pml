/* Relays that sleep together: one bell, one keeper, one channel. README.md says what stands for what.
 *
 * Relays 0 and 1 share the streams of one subscription, relay 2 has all of another. A message is a bit. What a session knows is in arrays, so
 * that it can end at every step: what it has heard and not handled is gone, and its locks become free one after the other.
 */
#ifndef RELAYS
#define RELAYS 3
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#define NONE RELAYS

mtype = { ring, asleep, awake };
mtype:phase = { idle, armed, settled, releasing, took, joining, ending };

/* The channel: what each session has still to hear, in the order of commits, and who sent it. No session lags more than this behind. */
#ifndef LAG
#define LAG 2
#endif
chan inbox[RELAYS] = [LAG] of { mtype, byte };
#define room (nfull(inbox[0]) && nfull(inbox[1]) && nfull(inbox[2]))

byte bell = NONE;             /* the session that holds the bell exclusively */
byte sharing = 0;             /* transactions that hold it shared */
byte keeper = 0;              /* the session that holds the keeper's lock */
byte committed = 0;           /* messages */
byte crashes = 0;

mtype:phase at[RELAYS] = idle;
byte serves[RELAYS];          /* the messages of the session's streams */
byte seen[RELAYS];            /* those that it has read */
bool due[RELAYS] = true;      /* it has to poll */
bool told[RELAYS];            /* the last that it heard says that it may sleep */
bool resting[RELAYS];         /* the keeper has nothing to do before a ring */
byte outstanding[RELAYS];     /* how often the keeper has sent `asleep` and not heard it yet */
bool mustRelease[RELAYS];     /* the next poll releases the bell */
bool mustRecall[RELAYS];      /* others may sleep because of what the keeper said: before it releases the bell, it says `awake` */
#ifndef REASONS
#define REASONS 1
#endif
byte reasons = 0;             /* for which a keeper wakes beside a ring */
/* The server's queue of notifications, which a session that is in the way fills up. Then a notification may be refused, and its transaction with it. */
#ifndef CROWDS
#define CROWDS 0
#endif
byte crowds = 0;              /* how often it fills up */
bool crowded = false;
bool empties = false;         /* whether the session in the way ends */
bool untold[RELAYS];          /* the session has come, and could not say so */

#define unread(r) (committed & serves[r] & ~seen[r])
#define lives(r) (at[r] != ending)
#define sleeps(r) (at[r] == idle && !due[r] && ((keeper == r && resting[r]) || (keeper != r && told[r])) && empty(inbox[r]))
/* A relay sleeps beside a message that is its own, and nothing is on its way that wakes it. */
#define lies(r) (sleeps(r) && unread(r))

inline notify(what) {
    n = 0;
    do
    :: n < RELAYS ->
        if
        :: lives(n) -> inbox[n] ! what, me
        :: else
        fi;
        n++
    :: else -> break
    od;
    n = 0
}

inline poll() { seen[me] = seen[me] | unread(me); due[me] = false }

inline statement() {
    d_step {
        if
        :: bell != NONE -> rings = true
        :: bell == NONE && !holds -> sharing++; holds = true
        :: else
        fi
    }
}

/* Is the keeper no more, and awake. */
inline resign() {
    keeper = NONE;
    bell = (bell == me -> NONE : bell);
    resting[me] = false;
    mustRelease[me] = false;
    mustRecall[me] = false;
    due[me] = true;
    at[me] = idle
}

proctype Producer(byte me) {
    byte n = 0;
    bool holds = false;
    bool rings = false;
    /* Each statement of the transaction takes the bell shared, or else rings. */
    statement();
    if
    :: rings && !holds -> statement()
    :: true
    fi;
#ifdef EARLY
    d_step {
        if
        :: holds -> sharing--; holds = false
        :: else
        fi
    };
#endif
    /* Visible, then heard, then without locks. What is between is seen by relays that are refused the bell, and no other. */
    if
    :: d_step {
        !rings || room ->
        committed = committed | (1 << me);
        if
        :: rings -> notify(ring); rings = false
        :: else
        fi;
        if
        :: holds -> sharing--; holds = false
        :: else
        fi
    }
#if CROWDS > 0
    /* Or the server refuses it. */
    :: d_step {
        rings && crowded ->
        rings = false;
        if
        :: holds -> sharing--; holds = false
        :: else
        fi
    }
#endif
    fi
}

#ifdef NO_RECALL
#define canPoll true
#else
#ifdef RECALL_LAST
#define canPoll true
#else
#define canPoll (!mustRelease[me] || !mustRecall[me])
#endif
#endif

proctype Relay(byte me) {
    byte n = 0;
    mtype kind;
    byte from = 0;
    bool others = false;
end:
    do
    /* Hears the next notification. */
    :: d_step {
        lives(me) && nempty(inbox[me]) -> inbox[me] ? kind, from;
        if
        :: kind == ring ->
            due[me] = true;
            told[me] = false;
            /* It may be a relay that has come since the others were counted. */
            others = others || at[me] == settled;
            mustRelease[me] = mustRelease[me] || (keeper == me && resting[me]);
            /* All that could sleep because of `asleep` hear this ring after it. */
#ifdef ANY_RING
            mustRecall[me] = false
#else
            mustRecall[me] = mustRecall[me] && outstanding[me] > 0
#endif
        :: kind == awake && from != me -> due[me] = true; told[me] = false
        :: kind == asleep && from == me -> outstanding[me]--
        :: kind == asleep && from != me ->
            told[me] = true;
#ifndef NO_PEER_POLL
            due[me] = true
#endif
        :: else
        fi;
        kind = 0;
        from = 0
    }
    /* Is awake for another reason. */
    :: d_step { at[me] == idle && keeper == me && resting[me] && reasons > 0 -> reasons--; due[me] = true; mustRelease[me] = true }
#ifndef NO_RECALL
#ifndef RECALL_LAST
    :: d_step { at[me] == idle && mustRelease[me] && mustRecall[me] && room -> notify(awake); mustRecall[me] = false }
#endif
#endif
    /* Polls, because it has to, or because it is awake and there is something. */
    :: d_step {
        at[me] == idle && canPoll && (due[me] || (unread(me) && (keeper == me -> !resting[me] : !told[me]))) ->
        poll();
        if
        :: mustRelease[me] -> at[me] = releasing; mustRelease[me] = false; resting[me] = false
        :: else
        fi
    }
    /* After the snapshot of the poll, in the same statement. */
#ifdef RECALL_LAST
    :: d_step { at[me] == releasing && bell == me -> bell = NONE; at[me] = (mustRecall[me] -> releasing : idle) }
    :: d_step { at[me] == releasing && bell != me && room -> notify(awake); mustRecall[me] = false; at[me] = idle }
#else
    :: d_step { at[me] == releasing -> bell = NONE; mustRecall[me] = false; at[me] = idle }
#endif
#ifdef TWO_STEPS
    :: d_step { at[me] == idle && keeper == NONE -> keeper = me; at[me] = took }
    :: d_step { at[me] == took && room -> notify(awake); at[me] = idle }
#else
    /* Takes the keeper's lock, and says so in the same statement. */
    :: d_step {
        at[me] == idle && keeper == NONE && room && !crowded ->
        keeper = me;
#ifndef NO_AWAKE
        notify(awake)
#endif
    }
#endif
#ifdef BEFORE_GRANT
    :: d_step { at[me] == idle && !due[me] && keeper == me && !resting[me] && room -> notify(asleep); outstanding[me]++; mustRecall[me] = true; at[me] = took }
    :: d_step { at[me] == took && bell == NONE && sharing == 0 -> bell = me; at[me] = armed }
#else
    /* Takes the bell, without waiting. */
    :: d_step {
        at[me] == idle && !due[me] && keeper == me && !resting[me] && bell == NONE && sharing == 0 ->
        bell = me;
        at[me] = armed
    }
#endif
    /* Polls once more. What is found is a reason to be awake. */
    :: d_step {
        at[me] == armed ->
#ifndef NO_SECOND_POLL
        if
        :: unread(me) -> poll(); at[me] = releasing
        :: else -> due[me] = false; at[me] = settled
        fi;
#else
        at[me] = settled;
#endif
        others = false;
        do
        :: n < RELAYS -> others = others || (n != me && lives(n)); n++
        :: else -> break
        od;
        n = 0
    }
    /* Tells the other relays, if it knows of any, and sleeps. */
    :: d_step {
        at[me] == settled && room ->
#ifndef BEFORE_GRANT
        if
        :: others -> notify(asleep); outstanding[me]++; mustRecall[me] = true
        :: else
        fi;
#endif
        resting[me] = true;
        at[me] = idle
    }
    /* A session that begins LISTENs, and then says so, which wakes all as a ring does: one that sleeps says `asleep` once more. */
#ifdef NO_NEWS
    :: d_step { at[me] == joining -> due[me] = true; at[me] = idle }
#else
    :: d_step { at[me] == joining && room -> notify(ring); due[me] = true; at[me] = idle }
#endif
#if CROWDS > 0
    /* What the keeper says may be refused, and others cannot rely on it. */
    :: d_step { at[me] == settled && crowded && others -> resign() }
    :: d_step { at[me] == idle && crowded && mustRelease[me] && mustRecall[me] -> resign() }
    :: d_step { at[me] == joining && crowded -> untold[me] = true; due[me] = true; at[me] = idle }
    :: d_step { untold[me] && !crowded && room -> untold[me] = false; notify(ring) }
    /* Looks, and sees how full the queue is. There is no keeper while it fills up, so that producers need not ring. */
    :: d_step { at[me] == idle && crowded && keeper == me && room -> notify(awake); resign() }
    :: d_step { at[me] == idle && crowded && keeper == me -> resign() }
#ifndef NO_WAKES
    /* Does not sleep by the word of a keeper that there is not. */
    :: d_step { at[me] == idle && crowded && keeper == NONE && told[me] -> told[me] = false; due[me] = true }
#endif
#endif
    /* A session ends. */
    :: d_step {
        lives(me) && crashes > 0 ->
        crashes--;
        at[me] = ending;
        do
        :: inbox[me] ? kind, from
        :: empty(inbox[me]) -> break
        od;
        kind = 0; from = 0; others = false;
        due[me] = false; told[me] = false; resting[me] = false; outstanding[me] = 0; mustRelease[me] = false; mustRecall[me] = false;
        untold[me] = false
    }
    :: d_step { at[me] == ending && bell == me -> bell = NONE }
    :: d_step { at[me] == ending && keeper == me -> keeper = NONE }
    /* The relay comes again: some time. */
    :: d_step { at[me] == ending && bell != me && keeper != me -> at[me] = joining }
    od
}

/* Safety: nothing lies while a session that lives is the keeper. This has no clock: the keeper may take as long as it likes for anything. */
active proctype Lying() {
end:
    atomic {
        keeper != NONE && lives(keeper) && (lies(0) || lies(1) || lies(2)) -> assert(false)
    }
}

#if CROWDS > 0
/* Listens, and stays in its transaction. */
active proctype InTheWay() {
end:
    do
    :: d_step { crowds > 0 && !crowded -> crowds--; crowded = true }
    :: d_step { crowded && empties -> crowded = false }
    od
}
#endif

/* When nothing more happens, all is read, and all sleep; or poll, where the queue is crowded. */
active proctype Quiet() {
    byte r = 0;
    timeout ->
    d_step {
        do
        :: r < RELAYS ->
            assert(!lives(r) || (!unread(r) && (sleeps(r) || crowded)));
            r++
        :: else -> break
        od
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
        :: reasons = REASONS
        :: REASONS > 0
        fi;
#if CROWDS > 0
        crowds = CROWDS;
        if
        :: empties = true
        :: true
        fi;
#endif
        do
        :: p < PRODUCERS ->
            serves[p % 2] = serves[p % 2] | (1 << p);
            serves[2] = serves[2] | (1 << p);
            run Producer(p);
            p++
        :: else -> break
        od;
        p = 0;
        do
        :: p < RELAYS -> run Relay(p); p++
        :: else -> p = 0; break
        od
    }
}
