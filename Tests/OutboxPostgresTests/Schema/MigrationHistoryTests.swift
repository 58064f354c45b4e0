import Foundation
import OutboxMigrations
import Testing

@testable import OutboxPostgres

/// The decisions of the migrator, without a server.
@Suite(.timeLimit(.minutes(10))) struct MigrationHistoryTests {
    private static let files = (1...3).map { version in
        Migrations.File(version: version, name: "step\(version)", up: "up \(version)", down: "down \(version)")
    }

    private func history(_ versions: [Int], drifted: Int? = nil, readableBy: Int? = nil) -> MigrationHistory {
        let applied = versions.map { version in
            let file = Self.files.first { $0.version == version }
            let checksum = version == drifted ? "another" : file?.checksum ?? "unknown"
            return AppliedMigration(
                version: version, name: "step\(version)", checksum: checksum, readableBy: readableBy ?? version,
                date: Date(timeIntervalSince1970: 0))
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
            (error as? OutboxError)?.code == .schemaTooNew
        }
        #expect { try self.history([1, 2, 3, 4]).nextDown(to: 0) } throws: { error in
            (error as? OutboxError)?.code == .schemaTooNew
        }
    }

    /// A later version that this program works with is no error, and nothing to undo.
    @Test func aNewerSchemaThatIsReadableIsUpToDate() throws {
        #expect(try self.history([1, 2, 3, 4], readableBy: 3).nextUp(to: nil) == nil)
        #expect(self.history([1, 2, 3, 4], readableBy: 3).statuses.allSatisfy { $0.isReadable })
        #expect(self.history([1, 2, 3, 4]).statuses.map(\.isReadable) == [true, true, true, false])
        #expect { try self.history([1, 2, 3, 4], readableBy: 3).nextDown(to: 0) } throws: { error in
            (error as? OutboxError)?.code == .schemaTooNew
        }
    }

    /// What a dump of the structure takes along says what the rows say.
    @Test func theCommentSaysWhatWasApplied() {
        let applied = Self.files.map(AppliedMigration.init)
        #expect(AppliedMigration.parse(AppliedMigration.comment(applied)) == applied)
        for other in [
            "", "our versions", "1 outbox x readable by", "1 outbox x readable by y",
            "2 b x readable by 2\n1 a x readable by 1",
        ] {
            #expect(AppliedMigration.parse(other) == nil, "\(other)")
        }
    }

    /// Every pair of a schema and a program.
    @Test func aProgramWorksWithASchemaOfItsRange() {
        for newest in 0...5 {
            for readableBy in 0...newest {
                for known in 1...5 {
                    for oldest in 1...known {
                        let version = SchemaVersion(newest: newest, readableBy: readableBy)
                        var code: OutboxError.Code?
                        do throws(OutboxError) {
                            try version.check(OutboxSchema(), program: .init(newest: known, oldest: oldest))
                        } catch {
                            code = error.code
                        }
                        let expected: OutboxError.Code? =
                            newest == 0
                            ? .schemaUnversioned
                            : newest < oldest ? .schemaTooOld : known < readableBy ? .schemaTooNew : nil
                        #expect(code == expected, "\(version), \(known), \(oldest)")
                    }
                }
            }
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
