import Foundation
import OutboxTestServers
import Testing

@Suite(.timeLimit(.minutes(10))) struct PostgresProgramsTests {
    @Test func prefersWhatWasNamedThenThePathThenPackages() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("outbox-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        let folders = try ["explicit", "variable", "path", "package"].map { try install("\(root)/\($0)") }
        let environment = ["OUTBOX_POSTGRES_BIN": folders[1], "PATH": "/nowhere:\(folders[2])"]

        #expect(try find(folders[0], environment, [folders[3]]) == folders[0])
        #expect(try find(nil, environment, [folders[3]]) == folders[1])
        #expect(try find(nil, ["PATH": "/nowhere:\(folders[2])"], [folders[3]]) == folders[2])
        #expect(try find(nil, [:], ["/nowhere", folders[3]]) == folders[3])
    }

    @Test func followsALinkInThePath() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("outbox-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        let real = URL(fileURLWithPath: try install("\(root)/real")).resolvingSymlinksInPath().path
        try FileManager.default.createDirectory(atPath: "\(root)/links", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: "\(root)/links/postgres", withDestinationPath: "\(real)/postgres")

        #expect(try find(nil, ["PATH": "\(root)/links"], []) == real)
    }

    @Test func aNamedFolderIsNotReplacedByAnother() {
        #expect { try find(nil, ["OUTBOX_POSTGRES_BIN": "/nowhere"], PostgresPrograms.packageFolders) } throws: {
            ($0 as? EphemeralServerError)?.code == .notInstalled
        }
    }

    @Test func saysWhatToInstall() {
        #expect { try find(nil, [:], []) } throws: { error in
            let error = error as? EphemeralServerError
            return error?.code == .notInstalled && error?.message.contains("apt-get install postgresql") == true
        }
    }

    @Test func newerPackagesComeFirst() {
        let debian = PostgresPrograms.packageFolders.filter { $0.hasPrefix("/usr/lib/") }
        #expect(debian.first == "/usr/lib/postgresql/18/bin")
        #expect(debian.last == "/usr/lib/postgresql/14/bin")
    }

    private func find(_ explicit: String?, _ environment: [String: String], _ packages: [String]) throws -> String {
        try PostgresPrograms.folder(explicit: explicit, environment: environment, packageFolders: packages)
    }

    private func install(_ folder: String) throws -> String {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for program in ["initdb", "postgres"] {
            let path = "\(folder)/\(program)"
            try Data().write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
        return folder
    }
}
