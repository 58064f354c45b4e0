import Outbox
import OutboxRuntime
import OutboxSQL

/// Something that keeps vacuum from removing dead rows.
struct XminHolder: Sendable, Hashable {
    /// What it is.
    var kind: String
    /// Which one.
    var name: String
    /// How many transactions have begun since.
    var transactions: Int
    /// For how long; nil: that is not known.
    var age: Duration?

    /// What was seen.
    var seen: String {
        let time = self.age.map { ", for \(Int64($0.seconds)) s" } ?? ""
        return "\(self.kind) \(self.name) holds up vacuum, by \(self.transactions) transactions\(time)"
    }

    /// What to do about it.
    var advice: String {
        switch self.kind {
        case "prepared transaction":
            "Finish it: COMMIT PREPARED or ROLLBACK PREPARED \(self.name). If it has enqueued, no relay sleeps until then."
        case "standby":
            "A query on the standby holds it up, by hot_standby_feedback: end it there, or do without the feedback."
        case "replication slot":
            "Its reader lags: see what it waits for, in pg_stat_replication."
        case "replication slot without a reader":
            "Start its reader, or drop it: SELECT pg_drop_replication_slot('\(SQLIdentifier.escapedInLiteral(self.name))'). It keeps WAL too."
        case "idle transaction":
            "End it in its own session, or by pg_terminate_backend; idle_in_transaction_session_timeout keeps it from coming back."
        default:
            "Wait for its end, or pg_cancel_backend. Delivery is as fast as ever meanwhile, but deferred and stream grow."
        }
    }
}

extension OutboxDoctor {
    /// What keeps vacuum from cleaning up.
    func xmin(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let server = try await connection.query(LibPQStatement(self.statements.server))[0]
        let result = try await connection.query(LibPQStatement(self.statements.xminHolders))
        let role = try await connection.query(LibPQStatement("SELECT current_user::pg_catalog.text"))[0]
        return self.judge(
            seesTimes: try server.decode("sees_times", as: Bool.self), role: try role.decode(0),
            try result.map { row in
                XminHolder(
                    kind: try row.decode("kind"), name: try row.decode("name"),
                    transactions: try row.decode("transactions", as: Int.self),
                    age: try row.decode("microseconds", as: Int64?.self).map { .microseconds($0) })
            })
    }

    /// - Parameters:
    ///   - seesTimes: Whether the role sees since when other roles' transactions are open.
    ///   - role: The role that looks.
    func judge(seesTimes: Bool, role: String, _ holders: [XminHolder]) -> [DoctorFinding] {
        let old = holders.filter { holder in
            holder.transactions >= self.limits.transactions
                || holder.age.map { $0 >= self.limits.transactionAge } ?? false
        }
        if old.isEmpty, !seesTimes {
            return [
                DoctorFinding(
                    "xmin", .warning,
                    "nothing that this role sees keeps vacuum from cleaning up, but of other roles' transactions it does not see for how long they are open",
                    advice:
                        "Look again as a superuser, or as one: GRANT pg_read_all_stats TO \(SQLIdentifier(role).quoted)"
                )
            ]
        }
        if old.isEmpty {
            return [DoctorFinding("xmin", .ok, "nothing has kept vacuum from cleaning up for long")]
        }
        return old.map { DoctorFinding("xmin", .warning, $0.seen, advice: $0.advice) }
    }
}
