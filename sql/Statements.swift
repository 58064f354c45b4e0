package enum Statements {
    package static let releaseBell = String(decoding: PackageResources.release_sql, as: UTF8.self)
}
