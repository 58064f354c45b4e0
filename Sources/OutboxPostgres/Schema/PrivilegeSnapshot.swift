/// What roles may do with the objects of a schema at one time, to give back what a migration takes by replacing an object: a
/// function that is dropped and created again has no privileges but those that its creation gives.
struct PrivilegeSnapshot: Sendable {
    /// A relation, a column or a function.
    struct Object: Sendable, Hashable {
        /// As GRANT names it: TABLE, SEQUENCE, FUNCTION.
        var kind: String
        /// Without the parameters of a function.
        var name: String
        /// Quoted; nil: the whole object.
        var column: String?
    }

    /// Something that a role may do.
    struct Entry: Sendable, Hashable {
        /// Quoted.
        var role: String
        var privilege: String
        var isGrantable: Bool
    }

    /// An object at one time.
    struct State: Sendable, Hashable {
        var oid: Int64
        var object: Object
        /// The whole object as GRANT wants it.
        var text: String
        var entries: Set<Entry> = []
    }

    var states: [State]

    /// What gives the roles back what they had: for each object that is new in `later`, the privileges on those of its name that
    /// are gone from there. Sorted, so that the same change makes the same script.
    func grants(after later: PrivilegeSnapshot) -> [String] {
        let before = Set(self.states.map(\.oid))
        let after = Set(later.states.map(\.oid))
        var lost: [Object: Set<Entry>] = [:]
        for state in self.states where !after.contains(state.oid) {
            lost[state.object, default: []].formUnion(state.entries)
        }
        return later.states.filter { !before.contains($0.oid) }
            .flatMap { state in (lost[state.object] ?? []).subtracting(state.entries).map { $0.grant(on: state) } }
            .sorted()
    }
}

extension PrivilegeSnapshot.Entry {
    fileprivate func grant(on state: PrivilegeSnapshot.State) -> String {
        let column = state.object.column.map { " (\($0))" } ?? ""
        let option = self.isGrantable ? " WITH GRANT OPTION" : ""
        return "GRANT \(self.privilege)\(column) ON \(state.object.kind) \(state.text) TO \(self.role)\(option);"
    }
}

extension PrivilegeSnapshot {
    /// Reads the rows of the statement `privileges`.
    init(_ result: QueryResult) throws(PostgresError) {
        var states: [State] = []
        var places: [String: Int] = [:]
        for row in result {
            let oid: Int64 = try row.decode("oid")
            let object = Object(
                kind: try row.decode("kind"), name: try row.decode("name"), column: try row.decode("column_name"))
            let key = "\(object.kind) \(oid) \(object.column ?? "")"
            let place = places[key] ?? states.count
            if place == states.count {
                states.append(State(oid: oid, object: object, text: try row.decode("text")))
                places[key] = place
            }
            if let role = try row.decode("role", as: String?.self) {
                states[place].entries.insert(
                    Entry(
                        role: role, privilege: try row.decode("privilege"), isGrantable: try row.decode("is_grantable"))
                )
            }
        }
        self.init(states: states)
    }
}
