/// Finds what was probably meant by a name that does not exist.
package enum NearestName {
    /// The name with the fewest differences (letters inserted, left out, replaced or swapped), if they are few.
    package static func of(_ name: String, among names: some Sequence<String>) -> String? {
        // The effort grows with the length, and no name that there is is that long.
        guard name.utf8.count <= 64 else { return nil }
        let nearest = names.map { (name: $0, distance: self.distance(Array(name.lowercased()), Array($0))) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        guard let nearest, nearest.distance <= max(1, name.count / 2) else { return nil }
        return nearest.name
    }

    /// A sentence that suggests the nearest name, or else lists all.
    package static func suggestion(for name: String, among names: [String]) -> String {
        if let nearest = self.of(name, among: names) { return "did you mean “\(nearest)”?" }
        return "known are \(names.joined(separator: ", "))"
    }

    /// How many letters have to be inserted, left out, replaced or swapped with a neighbour.
    package static func differences(between name: String, and other: String) -> Int {
        self.distance(Array(name.lowercased()), Array(other))
    }

    /// Optimal string alignment (Damerau–Levenshtein without a second edit inside a swap).
    private static func distance(_ first: [Character], _ second: [Character]) -> Int {
        var table = [[Int]](repeating: [Int](repeating: 0, count: second.count + 1), count: first.count + 1)
        for row in 0...first.count {
            for column in 0...second.count {
                guard row > 0, column > 0 else {
                    table[row][column] = row + column
                    continue
                }
                let isSame = first[row - 1] == second[column - 1]
                table[row][column] = min(
                    table[row - 1][column] + 1, table[row][column - 1] + 1,
                    table[row - 1][column - 1] + (isSame ? 0 : 1))
                let isSwapped =
                    row > 1 && column > 1 && first[row - 1] == second[column - 2]
                    && first[row - 2] == second[column - 1]
                if isSwapped { table[row][column] = min(table[row][column], table[row - 2][column - 2] + 1) }
            }
        }
        return table[first.count][second.count]
    }
}
