import Foundation
import OutboxMigrations
import Testing

@testable import OutboxPostgres

/// The decisions of the migrator, without a server.
@Suite struct MigrationHistoryTests {
    private static let files = (1...3).map { version in
        Migrations.File(version: version, name: "step\(version)", up: "up \(version)", down: "down \(version)")
    }

    private func history(_ versions: [Int], drifted: Int? = nil) -> MigrationHistory {
        let applied = versions.map { version in
            let file = Self.files.first { $0.version == version }
            let checksum = version == drifted ? "another" : file?.checksum ?? "unknown"
            return MigrationHistory.Applied(
                version: version, name: "step\(version)", checksum: checksum, date: Date(timeIntervalSince1970: 0))
        }
        return MigrationHistory(schema: OutboxSchema(), known: Self.files, applied: applied)
    }

    @Test func goesUpOneByOne() throws {
        #expect(try self.history([]).nextUp(to: nil)?.version == 1)
        #expect(try self.history([1]).nextUp(to: nil)?.version == 2)
        #expect(try self.history([1, 2]).nextUp(to: nil)?.version == 3)
        #expect(try self.history([1, 2, 3]).nextUp(to: nil) == nil)
    }

    @Test func stopsAtTheTarget() throws {
        #expect(try self.history([1]).nextUp(to: 1) == nil)
        #expect(try self.history([1, 2]).nextUp(to: 1) == nil)
        #expect(try self.history([1]).nextUp(to: 2)?.version == 2)
        #expect(try self.history([1, 2, 3]).nextDown(to: 1)?.version == 3)
        #expect(try self.history([1]).nextDown(to: 1) == nil)
        #expect(try self.history([1]).nextDown(to: 0)?.version == 1)
        #expect(try self.history([]).nextDown(to: 0) == nil)
    }

    @Test func refusesVersionsThatDoNotExist() {
        #expect { try self.history([]).nextUp(to: 4) } throws: { ($0 as? OutboxError)?.code == .unknownVersion }
        #expect { try self.history([]).nextUp(to: 0) } throws: { ($0 as? OutboxError)?.code == .unknownVersion }
        #expect { try self.history([1]).nextDown(to: -1) } throws: { ($0 as? OutboxError)?.code == .unknownVersion }
    }

    @Test func refusesToGoUpAfterADrift() {
        #expect { try self.history([1, 2], drifted: 1).nextUp(to: nil) } throws: { error in
            (error as? OutboxError)?.code == .drift && "\(error)".contains("SET checksum = '\(Self.files[0].checksum)'")
        }
    }

    @Test func refusesAGap() {
        #expect { try self.history([1, 3]).nextUp(to: nil) } throws: { ($0 as? OutboxError)?.code == .drift }
    }

    @Test func leavesANewerSchemaAlone() {
        #expect { try self.history([1, 2, 3, 4]).nextUp(to: nil) } throws: { error in
            (error as? OutboxError)?.code == .schemaNewer
        }
        #expect { try self.history([1, 2, 3, 4]).nextDown(to: 0) } throws: { error in
            (error as? OutboxError)?.code == .schemaNewer
        }
    }

    @Test func reportsEveryVersion() {
        let date = Date(timeIntervalSince1970: 0)
        #expect(
            self.history([1, 2, 4], drifted: 2).statuses.map(\.state) == [
                .applied(at: date), .drifted(at: date), .pending, .unknown(at: date),
            ])
    }
}
