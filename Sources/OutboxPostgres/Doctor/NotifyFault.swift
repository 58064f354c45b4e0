/// A fault of LISTEN and NOTIFY that minor versions of Postgres have.
///
/// Listed are faults in the release notes of Postgres that a sleeping relay can meet.
struct NotifyFault: Sendable, Hashable {
    /// What goes wrong.
    let description: String
    /// The first minor version of each major one that does not have it.
    let mendedIn: [Int: Int]

    static let known: [NotifyFault] = [
        // Release notes of 2026-02-12: "Prevent truncation of CLOG that is still needed by unread NOTIFY messages" and "Escalate
        // errors occurring during NOTIFY message processing to FATAL", of 15.16 (E.4.2), 16.12, 17.8 and 18.2 (E.4.2). Before
        // these, a session that cannot read a notification skips it with an error, and never receives it.
        NotifyFault(
            description: "a notification that was not read for long can be lost when vacuum freezes old transactions",
            mendedIn: [15: 16, 16: 12, 17: 8, 18: 2])
    ]

    /// The faults of a version, as `server_version_num` has it, each with the version that fixes it.
    static func faults(of version: Int) -> [(fault: NotifyFault, mendedIn: String)] {
        let (major, minor) = (version / 10000, version % 10000)
        return self.known.compactMap { fault in
            guard let mended = fault.mendedIn[major], minor < mended else { return nil }
            return (fault, "\(major).\(mended)")
        }
    }
}
