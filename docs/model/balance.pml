/* Relays that share streams: which of them takes which, and which gives one away. README.md says what stands for what.
 *
 * Only ownership is here: what is given away has been drained, which cursor.pml has. Relays come; one may be stopped (SIGSTOP), with its locks, until its
 * session is ended; one may end. Time is only this: a relay that works takes what is meant for it before another one does, and a rest is longer than all else.
 */
#define RELAYS 3
#define STREAMS 4
#define NONE RELAYS
#ifndef LIMIT
#define LIMIT 8
#endif

byte owner[STREAMS] = NONE;
byte mine[RELAYS];            /* the streams of the destinations that it has routes for */
bool isThere[RELAYS];
bool isStopped[RELAYS];
bool mayStop = false;
bool mayEnd = false;
byte takes[RELAYS];           /* locks that it is going to try, after a look */
byte gives[RELAYS];           /* streams that it drains */
byte fixed[RELAYS];           /* streams that it does not give away for now: no other relay took them, or it was going to before */
bool mustLook[RELAYS];        /* something has changed since it looked */
byte handovers = 0;

/* Of a plan. */
byte load[RELAYS];
byte next[STREAMS];
byte n = 0;
byte k = 0;
byte s = 0;
byte r = 0;

#define has(m, s) (owner[s] == (m))
#define owned(m) (has(m, 0) + has(m, 1) + has(m, 2) + has(m, 3))
#define serves(m, s) ((mine[m] >> (s)) & 1)
#define works(m) (isThere[m] && !isStopped[m])
#define isCandidate(m, s) (isThere[m] && serves(m, s))
/* The candidate with the fewest, of those the first. */
#define isLess(a, b, s) (isCandidate(a, s) && (!isCandidate(b, s) || load[a] < load[b]))
#define least01(s) (isLess(1, 0, s) -> 1 : 0)
#define least(s) (isLess(2, least01(s), s) -> 2 : least01(s))
/* The relay with the most, of those the last; and the one behind it. */
#define most01 (load[1] >= load[0] -> 1 : 0)
#define most (load[2] >= load[most01] -> 2 : most01)
#define canGive(m, s) (owner[s] == (m) && next[s] == (m) && !((fixed[me] >> (s)) & 1) && serves(me, s) && \
    isThere[m] && load[m] >= load[least(s)] + 2)
#define someToGive(m) (canGive(m, 0) || canGive(m, 1) || canGive(m, 2) || canGive(m, 3))
#define newestOf(m) (canGive(m, 3) -> 3 : (canGive(m, 2) -> 2 : (canGive(m, 1) -> 1 : 0)))

inline changed() { mustLook[0] = isThere[0]; mustLook[1] = isThere[1]; mustLook[2] = isThere[2] }

/* Works out which stream is to have which owner, from what is seen, and notes the relay's part of it. */
inline plan() {
    takes[me] = 0;
    r = 0;
    do
    :: r < RELAYS ->
#ifdef KNOWN_ALONE
        load[r] = (has(r, 0) && serves(me, 0)) + (has(r, 1) && serves(me, 1)) + (has(r, 2) && serves(me, 2)) + (has(r, 3) && serves(me, 3));
#else
        load[r] = owned(r);
#endif
        r++
    :: else -> break
    od;
    s = 0;
    do
    :: s < STREAMS ->
        next[s] = owner[s];
        if
        :: owner[s] == NONE && serves(me, s) ->
            next[s] = least(s);
            load[next[s]]++;
            if
            :: next[s] == me -> takes[me] = takes[me] | (1 << s)
            /* It is meant for a relay that does not take it. */
            :: next[s] != me && isStopped[next[s]] -> takes[me] = takes[me] | (1 << s); fixed[me] = fixed[me] | (1 << s)
            :: else
            fi
        :: else
        fi;
        s++
    :: else -> break
    od;
    /* The relay with the most gives first, the newest of its streams. */
    k = gives[me];
    do
    :: someToGive(0) || someToGive(1) || someToGive(2) ->
        r = most;
        r = (someToGive(r) -> r : (load[(r + 1) % 3] >= load[(r + 2) % 3] && someToGive((r + 1) % 3) -> (r + 1) % 3 :
            (someToGive((r + 2) % 3) -> (r + 2) % 3 : (r + 1) % 3)));
        s = newestOf(r);
        n = least(s);
        load[r]--;
        load[n]++;
        next[s] = n;
#ifdef GIVES_ON
        gives[me] = (r == me -> gives[me] | (1 << s) : gives[me])
#else
        /* What it gives away is counted as its own until it is released: so there is nothing more to be given before. */
        gives[me] = (r == me && k == 0 -> gives[me] | (1 << s) : gives[me])
#endif
    :: else -> break
    od;
    fixed[me] = fixed[me] | gives[me];
    load[0] = 0; load[1] = 0; load[2] = 0;
    next[0] = 0; next[1] = 0; next[2] = 0; next[3] = 0;
    n = 0; k = 0; s = 0; r = 0
}

/* As first designed: streams through relays, rounded up, is what a relay has at most, and what is more it gives away. */
#define aim ((STREAMS + isThere[0] + isThere[1] + isThere[2] - 1) / (isThere[0] + isThere[1] + isThere[2]))
inline planByAim() {
    takes[me] = 0;
    n = owned(me);
    s = 0;
    do
    :: s < STREAMS ->
        if
        :: owner[s] == NONE && serves(me, s) && n < aim -> takes[me] = takes[me] | (1 << s); n++
        :: owner[s] == me && n > aim && !gives[me] -> gives[me] = gives[me] | (1 << s); n--
        :: else
        fi;
        s++
    :: else -> break
    od;
    n = 0; s = 0
}

inline tryTo(s) { owner[s] = (((takes[me] >> s) & 1) && owner[s] == NONE -> me : owner[s]) }

inline free() {
    owner[0] = (owner[0] == me -> NONE : owner[0]);
    owner[1] = (owner[1] == me -> NONE : owner[1]);
    owner[2] = (owner[2] == me -> NONE : owner[2]);
    owner[3] = (owner[3] == me -> NONE : owner[3]);
    isThere[me] = false; takes[me] = 0; gives[me] = 0; fixed[me] = 0
}

#define isCalm(m) (!isThere[m] || (!isStopped[m] && !mustLook[m] && !takes[m] && !gives[m]))

#define RELEASE(s) :: d_step { \
        works(me) && ((gives[me] >> s) & 1) -> \
        owner[s] = NONE; gives[me] = gives[me] & ~(1 << s); handovers++; assert(handovers <= LIMIT); changed() \
    }

#ifdef AIM
#define share planByAim
#else
#define share plan
#endif

proctype Relay(byte me) {
end:
    do
    :: d_step { works(me) && mustLook[me] && takes[me] == 0 -> mustLook[me] = false; share() }
    :: d_step { works(me) && takes[me] -> tryTo(0); tryTo(1); tryTo(2); tryTo(3); takes[me] = 0; changed() }
    RELEASE(0) RELEASE(1) RELEASE(2) RELEASE(3)
    :: d_step { works(me) && mayStop -> mayStop = false; isStopped[me] = true; changed() }
    :: d_step { works(me) && mayEnd -> mayEnd = false; free(); changed() }
    /* A session that has been silent for too long is ended. What was meant for it is shared as everything else. */
    :: d_step { isThere[me] && isStopped[me] -> free(); changed() }
    /* Its rest is over: it is longer than all that is under way takes. */
    :: d_step { works(me) && fixed[me] && isCalm(0) && isCalm(1) && isCalm(2) -> fixed[me] = 0; changed() }
    od
}

proctype Arrival(byte me) { d_step { isThere[me] = true; changed() } }

/* When nothing more happens, every stream that a relay works for has an owner, and no relay could have one more and still have fewer than its owner. */
active proctype Quiet() {
    timeout ->
    d_step {
        do
        :: r < RELAYS ->
            s = 0;
            do
            :: s < STREAMS ->
                assert(!works(r) || !serves(r, s) || owner[s] != NONE);
#ifndef OWNERS_ALONE
                assert(!works(r) || !serves(r, s) || owner[s] == r || owned(owner[s]) < owned(r) + 2);
#endif
                s++
            :: else -> break
            od;
            r++
        :: else -> break
        od;
        r = 0;
        s = 0
    }
}

init {
    atomic {
        /* The same routes; overlapping ones; one with all beside others; and one stream that two have, beside others of their own. */
        if
        :: mine[0] = 15; mine[1] = 15; mine[2] = 15
        :: mine[0] = 5; mine[1] = 3; mine[2] = 14
        :: mine[0] = 15; mine[1] = 3; mine[2] = 12
        :: mine[0] = 3; mine[1] = 14; mine[2] = 0
        fi;
        if
        :: mayStop = true
        :: true
        fi;
        if
        :: mayEnd = true
        :: true
        fi;
        isThere[0] = true;
        mustLook[0] = true;
        run Relay(0);
        run Relay(1);
        run Relay(2);
        run Arrival(1);
        run Arrival(2)
    }
}
