/// What a faulty store does wrong, and which conformance checks are meant to notice.
enum Fault: String, CaseIterable, Sendable {
    case readsBackwards, losesRoutes, mixesDestinations, repeatsPages, showsUncommitted, commitsRollbacks
    case ignoresSchedules, ignoresMessageLimit, ignoresByteLimit, ignoresDeferredLimits
    case losesLate, deliversLateLast, forgetsCursor, commitsWhileReading, startsAtTheEnd, mixesSubscriptions
    case ignoresFirstPosition, beginsAgain
    case hidesNewStreams, hidesLostStreams, attachesUnasked
    case sharesOwnership, keepsOwnership, keepsSurplus, releasesNothing, takesNothing, hidesCut, confirmsBlindly
    case commitsAfterCut
    case returnsEarly, missesDeadline, readsUnasked, dropsWake, keepsWake, ignoresCancellation, losesWakeups
    case defersForNoTime, defersForEver, ignoresScheduledTime, hidesNextDue
    case hidesChanges, reportsOwnChanges
    case readsOnlyFirstOfKey, neverPromotes, neverWaitsBehindKey, retriesAtOnce, neverHolds, countsNoKeys
    case refusesNothing, commitsOneStream, losesErrors, forgetsRetries, keepsDelivered, losesDeadLetters
    case losesDeferredDeadLetters, losesLastErrors, settlesBeforeDeferring, forgetsStarts, readsExcluded

    var caughtBy: [String] {
        switch self {
        case .readsBackwards: ["messages of a stream arrive in the order of their ids"]
        case .losesRoutes: ["a message arrives as it was enqueued"]
        case .mixesDestinations: ["streams are separate by destination"]
        case .repeatsPages: ["nothing is read twice in a session", "a late transaction is delivered exactly once"]
        case .showsUncommitted: ["messages become visible at the commit of their transaction"]
        case .commitsRollbacks: ["messages of a transaction that was rolled back are never read"]
        case .ignoresSchedules: ["a message that is scheduled is marked until its time has come"]
        case .ignoresMessageLimit: ["a page has at most the messages that were asked for"]
        case .ignoresByteLimit:
            [
                "a page ends with the message that reaches the bytes that were asked for",
                "headers count as bytes of a page",
            ]
        case .ignoresDeferredLimits:
            ["a page of deferred messages ends with the messages and bytes that were asked for"]
        case .losesLate:
            [
                "a late transaction is delivered exactly once",
                "a late transaction is not lost when the cursor was committed past it",
            ]
        case .deliversLateLast: ["late messages come before those that are read with them"]
        case .forgetsCursor:
            [
                "a new session reads again exactly what was not committed",
                "a late transaction of many pages is resumed where it was committed",
                "relays that come and go lose nothing, repeat nothing and keep the order of keys",
                "one commit settles several streams",
            ]
        case .commitsWhileReading:
            [
                "what nothing was committed of is read again as it was",
                "a session that is cut off while it hands over leaves what it had not committed",
                "a late transaction of many pages is resumed where it was committed",
            ]
        case .startsAtTheEnd:
            ["messages of a destination that was never registered stay, and are read from the beginning"]
        case .mixesSubscriptions: ["every subscription gets every message"]
        case .ignoresFirstPosition:
            [
                "a stream that begins now has nothing of what had been committed, and all that is committed later",
                "a subscription that begins now leaves others as they are",
                "of all destinations, one that comes later begins with its first message where others begin now",
            ]
        case .beginsAgain: ["a stream that there is does not begin elsewhere"]
        case .hidesNewStreams:
            [
                "a destination that comes later is attached where all are wanted",
                "two sessions that both want everything have each stream once, also of destinations that come",
            ]
        case .hidesLostStreams:
            [
                "a stream that is split is lost, and its parts are read from where it was committed",
                "a split while a relay works loses nothing, repeats what was in flight at most, and keeps the order of keys",
            ]
        case .attachesUnasked: ["a destination that comes later is not attached where it is not wanted"]
        case .sharesOwnership:
            ["one session owns a stream", "sessions with the same routes end with as many streams each"]
        case .keepsOwnership:
            ["what a session has is taken over when it is closed", "what a session has is taken over when it leaves"]
        case .takesNothing:
            [
                "sessions with different routes work side by side",
                "a stream that only some sessions have a route for goes to them",
            ]
        case .keepsSurplus, .releasesNothing:
            [
                "sessions with the same routes end with as many streams each",
                "a stream that is handed over is read on from where it was committed",
            ]
        case .confirmsBlindly:
            ["what a session is asked after it was cut off fails and can be tried again with another"]
        case .hidesCut:
            [
                "what a session is asked after it was cut off fails and can be tried again with another",
                "a read that waits fails when its session is cut off",
            ]
        case .commitsAfterCut: ["the commit of a session that was cut off changes nothing"]
        case .returnsEarly, .missesDeadline: ["a read returns at its deadline, not before"]
        case .readsUnasked: ["a read without requests only waits"]
        case .dropsWake: ["a wake that came before makes a read return", "a wake makes a waiting read return"]
        case .keepsWake: ["a wake is used up by the read that it ends"]
        case .ignoresCancellation: ["a read returns promptly when its task is cancelled"]
        case .losesWakeups:
            [
                "a commit while a read falls asleep wakes it",
                "the commit of an open transaction while a read falls asleep wakes it",
            ]
        case .defersForNoTime: ["a message deferred for a time is read when that time is over, and not before"]
        case .defersForEver: ["a message deferred for a short time becomes due by itself"]
        case .ignoresScheduledTime: ["a scheduled message is due at its time"]
        case .hidesNextDue: ["the session reports when the next deferred message is due"]
        case .hidesChanges: ["the session reports when another session has changed deferred messages"]
        case .reportsOwnChanges: ["what a session changes itself is not reported as a change by another one"]
        case .readsOnlyFirstOfKey: ["a message waits behind the first of its key, and is read with it in order"]
        case .neverPromotes:
            ["the first waiting message of a touched key is due when those before it are delivered"]
        case .neverWaitsBehindKey: ["a message that waits is not due before its key is touched"]
        case .retriesAtOnce:
            [
                "a key whose first message fails again holds up those behind it, and no other key",
                "a deferred message that fails again is changed",
            ]
        case .neverHolds: ["a message whose time comes is held while an earlier one of its key waits"]
        case .countsNoKeys: ["ordered deferred messages are counted by key"]
        case .refusesNothing: ["a commit of nothing succeeds and changes nothing"]
        case .commitsOneStream: ["one commit settles several streams"]
        case .losesErrors:
            [
                "a deferred message keeps id, attempts, order and error",
                "a dead letter keeps id, attempts, reason and error",
            ]
        case .forgetsRetries: ["a deferred message that fails again is changed"]
        case .keepsDelivered: ["a deferred message that is delivered is gone"]
        case .losesDeadLetters: ["a dead letter keeps id, attempts, reason and error"]
        case .losesLastErrors: ["a deferred message that dies without an error keeps the one that it had"]
        case .settlesBeforeDeferring: ["what is deferred and delivered in one commit is gone"]
        case .forgetsStarts: ["what is noted of a start is there for the next session"]
        case .readsExcluded: ["a deferred message that is excluded is neither read nor due"]
        case .losesDeferredDeadLetters: ["a deferred message that dies is a dead letter with all that it had"]
        }
    }
}
