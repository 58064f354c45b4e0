/// What roles may do with the objects of a schema at one time, to give back what a migration takes by replacing an object: a
/// function that is dropped and created again has no privileges but those that its creation gives.
struct PrivilegeSnapshot: Sendable {
    /// A relation, a column or a function.
    struct Object: Sendable, Hashable {
        /// As GRANT names it: TABLE, SEQUENCE, FUNCTION.
        var kind: String
        /// A function's name is without its parameters.
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
        /// What no other object has, of the same name neither.
        var identity: String
        var object: Object
        /// The whole object as GRANT wants it.
        var text: String
        /// Whether every role may call the function.
        var isOpen = false
        var entries: Set<Entry> = []
    }

    var states: [State]

    /// What gives the roles back what they had: for each object that is new in `later`, the privileges on those of its name that
    /// are gone from there; and what closes a function to every role, if those of its name that are gone were closed. Sorted, so
    /// that the same change makes the same script.
    func statements(after later: PrivilegeSnapshot) -> [String] {
        let before = Set(self.states.map(\.identity))
        let after = Set(later.states.map(\.identity))
        let gone = Dictionary(grouping: self.states.filter { !after.contains($0.identity) }, by: \.object)
        return later.states.filter { !before.contains($0.identity) }
            .flatMap { state -> [String] in
                guard let predecessors = gone[state.object] else { return [] }
                let lost = predecessors.reduce(into: Set()) { $0.formUnion($1.entries) }.subtracting(state.entries)
                let isToBeClosed = state.isOpen && !predecessors.contains { $0.isOpen }
                let closing = isToBeClosed ? ["REVOKE ALL ON \(state.object.kind) \(state.text) FROM PUBLIC;"] : []
                return lost.map { $0.grant(on: state) } + closing
            }
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
    init(_ result: LibPQResult) throws(LibPQError) {
        var states: [State] = []
        var places: [String: Int] = [:]
        for row in result {
            let identity: String = try row.decode("identity")
            let object = Object(
                kind: try row.decode("kind"), name: try row.decode("name"), column: try row.decode("column_name"))
            let key = "\(object.kind) \(identity)"
            let place = places[key] ?? states.count
            if place == states.count {
                states.append(
                    State(
                        identity: identity, object: object, text: try row.decode("text"),
                        isOpen: try row.decode("is_open")))
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
