/// The name that was probably meant, or `nil` if none is similar enough.
func nearestName(to name: String, in names: some Sequence<String>) -> String? {
    let candidates = names.map { (name: $0, distance: editDistance(from: name.lowercased(), to: $0)) }
    guard let nearest = candidates.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
    return nearest.distance <= max(1, name.count / 2) ? nearest.name : nil
}

/// How many letters must be inserted, deleted or replaced (Levenshtein), row by row of the usual table.
func editDistance(from first: String, to second: String) -> Int {
    let second = Array(second)
    var row = Array(0...second.count)
    for (index, letter) in first.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in second.indices {
            let replaced = diagonal + (letter == second[column] ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
        }
    }
    return row[second.count]
}
