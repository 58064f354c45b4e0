/// The statements that run at run time, one file each in the folders beside this one.
///
/// In the files `{{schema}}` stands for the quoted name of the outbox's schema, and `{{schema_text}}` for the same inside
/// a literal. `{{message.…}}` stands for columns of a message; which ones there are, and what can be said of them, is in
/// `MessageColumns` of OutboxPostgres.
package struct Statements: Sendable {
    /// A statement's text, and the name under which a session prepares it; nil: it is planned each time.
    package struct Statement: Sendable {
        package let name: String?
        package var text: String
    }

    // session
    package var configure: Statement
    package var fixSearchPath: Statement
    package var widen: Statement
    package var inspect: Statement
    package var version: Statement
    package var missingPrivileges: Statement
    package var announce: Statement
    package var sameLog: Statement
    package var numbers: Statement
    package var idsHaveRisen: Statement
    package var joinByHash: Statement
    package var lockHolders: Statement

    // fleet
    package var look: Statement
    package var shareLocks: Statement
    package var takeLocks: Statement
    package var keep: Statement
    package var dropLocks: Statement
    package var leave: Statement
    package var endSession: Statement
    package var awaitLock: Statement
    package var holdUp: Statement

    // doorbell
    package var arm: Statement
    package var release: Statement
    package var tell: Statement
    package var lastID: Statement

    // log
    package var beginRead: Statement
    package var endRead: Statement
    package var currentSnapshot: Statement
    package var readFresh: Statement
    package var readFreshBounded: Statement
    package var readLate: Statement
    package var readCatchup: Statement
    package var readNew: Statement
    package var readNewRunning: Statement
    package var firstNew: Statement
    package var beyond: Statement

    // stream
    package var destinations: Statement
    package var register: Statement
    package var restart: Statement
    package var lookBack: Statement
    package var putBack: Statement
    package var load: Statement
    package var moveCursor: Statement
    package var noteStart: Statement
    package var noteOutages: Statement
    package var pause: Statement
    package var resume: Statement
    package var holdLog: Statement
    package var firstSince: Statement
    package var rewindExtent: Statement
    package var rewind: Statement
    package var discard: Statement
    package var countLog: Statement
    package var hasNoReader: Statement
    package var streamExists: Statement
    package var parts: Statement
    package var split: Statement
    package var countUnread: Statement
    package var merge: Statement
    package var streamsOf: Statement
    package var dropSubscription: Statement

    // segment
    package var noteSegments: Statement
    package var listSegments: Statement
    package var advanceSegment: Statement
    package var emptySegment: Statement

    // deferred
    package var readDue: Statement
    package var nextDue: Statement
    package var nextDueOf: Statement
    package var readKeys: Statement
    package var insertDeferred: Statement
    package var updateDeferred: Statement
    package var deleteDeferred: Statement
    package var promoteKeys: Statement
    package var promoteAll: Statement
    package var sameNumbers: Statement
    package var insertDead: Statement
    package var moveDead: Statement

    /// The statements for one outbox.
    ///
    /// - Parameters:
    ///   - schema: The schema's name, quoted as an identifier.
    ///   - schemaText: The same, escaped for use inside a literal.
    ///   - columns: What stands for `{{message.…}}`, by what is there for the dots.
    package init(schema: String, schemaText: String, columns: (Substring) -> String) {
        func statement(_ name: String?, _ bytes: [UInt8]) -> Statement {
            Statement(
                name: name, text: Self.render(bytes, columns: columns, schema: schema, schemaText: schemaText))
        }
        self.configure = statement("configure", PackageResources.configure_sql)
        self.fixSearchPath = statement(nil, PackageResources.fix_search_path_sql)
        self.widen = statement("widen", PackageResources.widen_sql)
        self.inspect = statement("inspect", PackageResources.inspect_sql)
        self.version = statement("version", PackageResources.version_sql)
        self.missingPrivileges = statement("missing_privileges", PackageResources.missing_privileges_sql)
        self.announce = statement("announce", PackageResources.announce_sql)
        self.sameLog = statement("same_log", PackageResources.same_log_sql)
        self.lockHolders = statement(nil, PackageResources.lock_holders_sql)
        self.idsHaveRisen = statement("ids_have_risen", PackageResources.ids_have_risen_sql)
        self.joinByHash = statement("join_by_hash", PackageResources.join_by_hash_sql)
        self.numbers = statement("numbers", PackageResources.numbers_sql)
        self.look = statement("look", PackageResources.look_sql)
        self.shareLocks = statement(nil, PackageResources.share_locks_sql)
        self.takeLocks = statement("take_locks", PackageResources.take_locks_sql)
        self.keep = statement("keep", PackageResources.keep_sql)
        self.dropLocks = statement("drop_locks", PackageResources.drop_locks_sql)
        self.leave = statement(nil, PackageResources.leave_sql)
        self.awaitLock = statement(nil, PackageResources.await_lock_sql)
        self.holdUp = statement(nil, PackageResources.hold_up_sql)
        self.endSession = statement(nil, PackageResources.end_session_sql)
        self.tell = statement("tell", PackageResources.tell_sql)
        self.lastID = statement("last_id", PackageResources.last_id_sql)
        self.arm = statement("arm", PackageResources.arm_sql)
        self.release = statement("release", PackageResources.release_sql)
        self.beginRead = statement("begin_read", PackageResources.begin_read_sql)
        self.endRead = statement("end_read", PackageResources.end_read_sql)
        self.currentSnapshot = statement("current_snapshot", PackageResources.current_snapshot_sql)
        self.readFresh = statement("read_fresh", PackageResources.read_fresh_sql)
        self.readFreshBounded = statement("read_fresh_bounded", PackageResources.read_fresh_bounded_sql)
        self.readLate = statement("read_late", PackageResources.read_late_sql)
        self.readCatchup = statement("read_catchup", PackageResources.read_catchup_sql)
        self.readNew = statement("read_new", PackageResources.read_new_sql)
        self.readNewRunning = statement("read_new_running", PackageResources.read_new_running_sql)
        self.firstNew = statement("first_new", PackageResources.first_new_sql)
        self.beyond = statement("beyond", PackageResources.beyond_sql)
        self.destinations = statement("destinations", PackageResources.destinations_sql)
        self.register = statement("register", PackageResources.register_sql)
        self.restart = statement("restart", PackageResources.restart_sql)
        self.lookBack = statement("look_back", PackageResources.look_back_sql)
        self.putBack = statement(nil, PackageResources.put_back_sql)
        self.load = statement("load", PackageResources.load_sql)
        self.moveCursor = statement("move_cursor", PackageResources.move_cursor_sql)
        self.noteStart = statement("note_start", PackageResources.note_start_sql)
        self.noteOutages = statement(nil, PackageResources.note_outages_sql)
        // What an operator or the janitor does once in a while is not worth keeping a plan.
        self.pause = statement(nil, PackageResources.pause_sql)
        self.resume = statement(nil, PackageResources.resume_sql)
        self.holdLog = statement(nil, PackageResources.hold_log_sql)
        self.firstSince = statement(nil, PackageResources.first_since_sql)
        self.rewindExtent = statement(nil, PackageResources.rewind_extent_sql)
        self.discard = statement(nil, PackageResources.discard_sql)
        self.countLog = statement(nil, PackageResources.count_log_sql)
        self.hasNoReader = statement(nil, PackageResources.has_no_reader_sql)
        self.rewind = statement(nil, PackageResources.rewind_sql)
        self.parts = statement(nil, PackageResources.parts_sql)
        self.split = statement(nil, PackageResources.split_sql)
        self.countUnread = statement(nil, PackageResources.count_unread_sql)
        self.merge = statement(nil, PackageResources.merge_sql)
        self.streamsOf = statement(nil, PackageResources.streams_of_sql)
        self.dropSubscription = statement(nil, PackageResources.drop_subscription_sql)
        self.streamExists = statement(nil, PackageResources.stream_exists_sql)
        self.noteSegments = statement(nil, PackageResources.note_segments_sql)
        self.listSegments = statement(nil, PackageResources.list_segments_sql)
        self.advanceSegment = statement(nil, PackageResources.advance_segment_sql)
        self.emptySegment = statement(nil, PackageResources.empty_segment_sql)
        // deferred is empty for most of the time and may be long a minute later: a plan that was made for the one is a
        // disaster for the other.
        self.readDue = statement(nil, PackageResources.read_due_sql)
        self.nextDue = statement(nil, PackageResources.next_due_sql)
        self.nextDueOf = statement(nil, PackageResources.next_due_of_sql)
        self.readKeys = statement(nil, PackageResources.read_keys_sql)
        self.insertDeferred = statement("insert_deferred", PackageResources.insert_deferred_sql)
        self.updateDeferred = statement(nil, PackageResources.update_deferred_sql)
        self.deleteDeferred = statement(nil, PackageResources.delete_deferred_sql)
        self.promoteKeys = statement(nil, PackageResources.promote_keys_sql)
        self.promoteAll = statement(nil, PackageResources.promote_all_sql)
        self.sameNumbers = statement("same_numbers", PackageResources.same_numbers_sql)
        self.insertDead = statement("insert_dead", PackageResources.insert_dead_sql)
        self.moveDead = statement(nil, PackageResources.move_dead_sql)
    }

    /// Puts the schema's name into a file's text, and before that what several files share: for `{{name}}` a file without its comments at
    /// the beginning of lines.
    static func render(
        _ bytes: [UInt8], including shared: [String: [UInt8]] = [:],
        columns: (Substring) -> String = { "{{message.\($0)}}" },
        schema: String, schemaText: String
    ) -> String {
        var text = String(decoding: bytes, as: UTF8.self)
        for (name, part) in shared {
            let lines = String(decoding: part, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("--") }
            text = text.split(separator: "{{\(name)}}", omittingEmptySubsequences: false)
                .joined(separator: lines.joined(separator: "\n"))
        }
        text = Self.render(text, columns)
        // The schema's name may be anything, so it goes in last.
        return
            text
            .split(separator: "{{schema_text}}", omittingEmptySubsequences: false).joined(separator: schemaText)
            .split(separator: "{{schema}}", omittingEmptySubsequences: false).joined(separator: schema)
    }

    private static func render(_ text: String, _ columns: (Substring) -> String) -> String {
        let parts = text.split(separator: "{{message.", omittingEmptySubsequences: false)
        return parts.dropFirst().reduce(into: String(parts[0])) { text, part in
            let halves = part.split(separator: "}}", maxSplits: 1, omittingEmptySubsequences: false)
            text += columns(halves[0]) + halves[1]
        }
    }
}
