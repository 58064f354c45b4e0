/* Relays that share streams: who takes which, and who gives one away. README.md says what stands for what.
 *
 * Only ownership is here: what is handed over has been drained, which cursor.pml has. A relay may be stopped (SIGSTOP) at any step: it keeps its locks and
 * does nothing more. Another one may end: its locks are free.
 */
#define RELAYS 3
#define STREAMS 4
#define NONE 7
#ifndef LIMIT
#define LIMIT 4
#endif

byte owner[STREAMS] = NONE;
byte givenTo[STREAMS] = NONE;   /* the owner drains it for that relay, or has released it for that */
byte mine[RELAYS];              /* the streams of the destinations that it has routes for */
byte asks[RELAYS] = NONE;       /* the stream that it has asked for and waits for */
bool unheard[RELAYS];           /* the owner has not heard that yet: it hears it once */
byte silent[RELAYS];            /* owners that did not answer */
bool stopped[RELAYS];
bool ended[RELAYS];
bool hasStopped = false;
bool hasEnded = false;
byte handovers = 0;

#define has(r, s) (owner[s] == r)
#define load(r) (has(r, 0) + has(r, 1) + has(r, 2) + has(r, 3))
/* Without what it gives away. */
#define keeps(r, s) (owner[s] == r && givenTo[s] == NONE)
#define remains(r) (keeps(r, 0) + keeps(r, 1) + keeps(r, 2) + keeps(r, 3))
#define serves(r, s) (mine[r] & (1 << (s)))
#define works(r) (!stopped[r] && !ended[r])
#ifndef DIFFERENCE
#define DIFFERENCE 2
#endif

#define mayTake(s) (works(me) && serves(me, s) && owner[s] == NONE && (givenTo[s] == NONE || givenTo[s] == me || !works(givenTo[s])) && aimAllows)
#define mayAsk(s) (works(me) && asks[me] == NONE && serves(me, s) && owner[s] != NONE && owner[s] != me && givenTo[s] == NONE && \
    !(silent[me] & (1 << owner[s])) && load(owner[s]) >= load(me) + DIFFERENCE)
#define mayAnswer(r) (works(me) && unheard[r] && asks[r] != NONE && owner[asks[r]] == me && givenTo[asks[r]] == NONE)

/* As first designed: each relay has an aim, streams through relays, rounded up, and neither takes more nor keeps more. */
#ifdef AIM
#define aim ((STREAMS + RELAYS - hasEnded - 1) / (RELAYS - hasEnded))
#define aimAllows (load(me) < aim)
#else
#define aimAllows true
#endif

inline take(s) {
    owner[s] = me;
    givenTo[s] = NONE;
    asks[me] = (asks[me] == s -> NONE : asks[me]);
    unheard[me] = unheard[me] && asks[me] != NONE
}

/* The owner gives it away only if it still has more than the one that asks will have. */
inline answer(r) {
#ifndef KEPT
    unheard[r] = false;
#endif
    if
#ifdef ALWAYS_YES
    :: true -> givenTo[asks[r]] = r
#else
    :: remains(me) >= load(r) + DIFFERENCE -> givenTo[asks[r]] = r
    :: else -> asks[r] = NONE
#endif
    fi
}

inline release(s) { owner[s] = NONE; handovers++; assert(handovers <= LIMIT) }

#define TAKE(s) :: d_step { mayTake(s) -> take(s) }
#define ASK(s) :: d_step { mayAsk(s) -> asks[me] = s; unheard[me] = true }
#define ANSWER(r) :: d_step { mayAnswer(r) -> answer(r) }
#ifdef AIM
#define RELEASE(s) :: d_step { works(me) && has(me, s) && load(me) > aim -> release(s) }
#else
#define RELEASE(s) :: d_step { works(me) && has(me, s) && givenTo[s] != NONE -> release(s) }
#endif

proctype Relay(byte me) {
end:
    do
    TAKE(0) TAKE(1) TAKE(2) TAKE(3)
    RELEASE(0) RELEASE(1) RELEASE(2) RELEASE(3)
#ifndef AIM
    ASK(0) ASK(1) ASK(2) ASK(3)
    ANSWER(0) ANSWER(1) ANSWER(2)
    /* There is no answer: the owner is another one, has given it to another, or does nothing. That one is not asked again. */
    :: d_step {
        works(me) && asks[me] != NONE && owner[asks[me]] != NONE &&
        (owner[asks[me]] == me || (givenTo[asks[me]] != NONE && givenTo[asks[me]] != me) || !works(owner[asks[me]])) ->
        silent[me] = (stopped[owner[asks[me]]] -> silent[me] | (1 << owner[asks[me]]) : silent[me]);
        asks[me] = NONE;
        unheard[me] = false
    }
#endif
    :: d_step { works(me) && !hasStopped -> hasStopped = true; stopped[me] = true }
    :: d_step {
        works(me) && !hasEnded ->
        hasEnded = true;
        ended[me] = true;
        asks[me] = NONE;
        unheard[me] = false;
        owner[0] = (owner[0] == me -> NONE : owner[0]);
        owner[1] = (owner[1] == me -> NONE : owner[1]);
        owner[2] = (owner[2] == me -> NONE : owner[2]);
        owner[3] = (owner[3] == me -> NONE : owner[3])
    }
    od
}

/* When nothing more happens, every stream has an owner, if there is a relay for it; and no relay could have one more and still have fewer than its
   owner. */
active proctype Quiet() {
    byte r = 0;
    byte s = 0;
    timeout ->
    d_step {
        do
        :: r < RELAYS ->
            s = 0;
            do
            :: s < STREAMS ->
                assert(!works(r) || !serves(r, s) || owner[s] != NONE);
                assert(!works(r) || !serves(r, s) || !works(owner[s]) || owner[s] == r || load(owner[s]) < load(r) + 2);
                s++
            :: else -> break
            od;
            r++
        :: else -> break
        od;
        r = 0
    }
}

init {
    atomic {
        /* The same routes; overlapping ones; and all beside some. */
        if
        :: mine[0] = 15; mine[1] = 15; mine[2] = 15
        :: mine[0] = 5; mine[1] = 3; mine[2] = 14
        :: mine[0] = 15; mine[1] = 3; mine[2] = 12
        fi;
        run Relay(0);
        run Relay(1);
        run Relay(2)
    }
}
