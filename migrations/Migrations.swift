import OutboxRuntime

/// The texts of the schema's migrations, in order of version.
///
/// Each is a pair of files in the folder `versions`, `NNNN_name.up.sql` and `NNNN_name.down.sql`, in which
/// `{{schema}}` stands for the quoted name of the outbox's schema. A landed file is never edited:
/// a change is a new pair.
package enum Migrations {
    /// One version of the schema.
    package struct File: Sendable {
        package let version: Int
        package let name: String
        /// The oldest program that works with the schema from this version on, as the newest version that such a program
        /// knows. This version itself, unless the migration only adds what older programs do not notice.
        package let readableBy: Int
        package let up: String
        package let down: String

        package init(version: Int, name: String, readableBy: Int? = nil, up: String, down: String) {
            self.version = version
            self.name = name
            self.readableBy = readableBy ?? version
            self.up = up
            self.down = down
        }
    }

    /// All versions, the oldest first.
    package static let all: [File] = [
        File(
            version: 1, name: "outbox",
            up: text(PackageResources._001_outbox_up_sql),
            down: text(PackageResources._001_outbox_down_sql)),
        File(
            version: 2, name: "numbers", readableBy: 1,
            up: text(PackageResources._002_numbers_up_sql),
            down: text(PackageResources._002_numbers_down_sql)),
        File(
            version: 3, name: "overlooked", readableBy: 1,
            up: text(PackageResources._003_overlooked_up_sql),
            down: text(PackageResources._003_overlooked_down_sql)),
        File(
            version: 4, name: "nulls", readableBy: 1,
            up: text(PackageResources._004_nulls_up_sql),
            down: text(PackageResources._004_nulls_down_sql)),
        File(
            version: 5, name: "outages", readableBy: 1,
            up: text(PackageResources._005_outages_up_sql),
            down: text(PackageResources._005_outages_down_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}

extension Migrations.File {
    /// A checksum of both texts (FNV-1a, 64 bits, in hexadecimal), by which an edited file is noticed.
    package var checksum: String {
        let hash = FowlerNollVo.hash(Array(self.up.utf8) + [0] + Array(self.down.utf8))
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
