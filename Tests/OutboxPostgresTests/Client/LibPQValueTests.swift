import Foundation
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct LibPQValueTests {
    private func roundTrip<Value: LibPQEncodable & LibPQDecodable & Equatable>(_ values: Value...) async throws {
        let connection = try await connect()
        for value in values {
            let result = try await connection.query("SELECT \(value) AS it")
            #expect(try result[0].decode("it", as: Value.self) == value)
            #expect(try result[0].decode(0, as: Value?.self) == value)
        }
    }

    private func roundTripArrays<Element: LibPQArrayElement & Equatable>(_ arrays: [Element]...) async throws {
        let connection = try await connect()
        for array in arrays {
            let result = try await connection.query("SELECT \(array) AS it")
            #expect(try result[0].decode("it", as: [Element].self) == array)
            #expect(try result[0].decode(0, as: [Element].self) == array)
        }
    }

    @Test func scalars() async throws {
        try await roundTrip(true, false)
        try await roundTrip(Int16.min, -1, 0, .max)
        try await roundTrip(Int32.min, -1, 0, .max)
        try await roundTrip(Int64.min, -1, 0, .max)
        try await roundTrip(Int.min, -1, 0, .max)
        try await roundTrip(0.0, -1.5, .infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .pi)
        try await roundTrip("", "plain", "ünïcödé 🐘", String(repeating: "x", count: 100_000))
        try await roundTrip([UInt8](), [0], Array(0...255))
        try await roundTrip(UUID(), UUID())
    }

    @Test func dates() async throws {
        try await roundTrip(
            Date(timeIntervalSince1970: 0), Date(timeIntervalSince1970: 946_684_799.5),
            Date(timeIntervalSince1970: -1e9),
            Date(timeIntervalSince1970: 1_700_000_000.25))
        let connection = try await connect()
        let text: String = try await connection.value(
            "SELECT (\(Date(timeIntervalSince1970: 86_400)) AT TIME ZONE 'UTC')::text")
        #expect(text == "1970-01-02 00:00:00")
        #expect(try await connection.value("SELECT timestamp '2001-01-01'") == Date(timeIntervalSinceReferenceDate: 0))
        #expect(try await connection.value("SELECT 'infinity'::timestamptz") == Date.distantFuture)
        #expect(try await connection.value("SELECT '-infinity'::timestamptz") == Date.distantPast)
        let beyond = Date(timeIntervalSince1970: 1e20)
        #expect(await postgresError { try await connection.query("SELECT \(beyond)") }?.code == .invalidValue)
        let never = Date(timeIntervalSince1970: .nan)
        #expect(await postgresError { try await connection.query("SELECT \(never)") }?.code == .invalidValue)
    }

    @Test func microsecondsAreExact() async throws {
        let connection = try await connect()
        let date: Date = try await connection.value("SELECT '2024-02-29 12:34:56.789012+00'::timestamptz")
        #expect(try await connection.value("SELECT \(date) = '2024-02-29 12:34:56.789012+00'::timestamptz") == true)
    }

    @Test func arrays() async throws {
        try await roundTripArrays([Int32](), [1, -2, .max])
        try await roundTripArrays([Int64](), [1, -2, .max])
        try await roundTripArrays([Int](), [1, -2, .max])
        try await roundTripArrays([String](), ["", "a", "ü"])
        try await roundTripArrays([String?](), [nil, "a", nil])
        try await roundTripArrays([Date](), [Date(timeIntervalSince1970: 1), Date(timeIntervalSince1970: -1)])
    }

    @Test func others() async throws {
        let connection = try await connect()
        #expect(try await connection.value("SELECT \(LibPQValue.json(#"{"a": 1}"#))->>'a'", as: String.self) == "1")
        #expect(try await connection.value("SELECT \(LibPQValue.json("[1]"))", as: String.self) == "[1]")
        #expect(try await connection.value("SELECT '{\"a\":1}'::json", as: String.self) == #"{"a":1}"#)
        let point = LibPQValue.binary(type: 600, [UInt8](repeating: 0, count: 16))
        #expect(try await connection.value("SELECT (\(point))::text", as: String.self) == "(0,0)")
        #expect(try await connection.value("SELECT 'x'::name", as: String.self) == "x")
        #expect(try await connection.value("SELECT 1.5::real", as: Double.self) == 1.5)
        #expect(try await connection.value("SELECT 26::oid", as: Int.self) == 26)
        #expect(try await connection.value("SELECT '9'::xid8", as: Int64.self) == 9)
        #expect(try await connection.value("SELECT \(nil as String?)::text IS NULL") == true)
        let values = try await connection.query(
            LibPQStatement("SELECT $1, $2, $3, $4, $5", [.null, .text("a"), .int8(1), .bool(true), .float8(1.5)]))[0]
        #expect(try values.decode(0, as: String?.self) == nil)
        #expect(try values.decode(2, as: Int64.self) == 1)
        #expect(try values.decode(4, as: Double.self) == 1.5)
    }

    @Test func enumsAreText() async throws {
        let connection = try await connect()
        try await connection.execute(script: "CREATE TYPE pg_temp.mood AS ENUM ('calm')")
        #expect(try await connection.value("SELECT 'calm'::pg_temp.mood", as: String.self) == "calm")
    }

    @Test func mismatches() async throws {
        let connection = try await connect()
        let row = try await connection.query(
            "SELECT 1::int8 AS number, 'a' AS word, NULL::int8 AS nothing, ARRAY[[1],[2]] AS matrix")[0]
        func code<Value: LibPQDecodable>(_ column: String, _: Value.Type) async -> LibPQError.Code? {
            await postgresError { try row.decode(column, as: Value.self) }?.code
        }
        #expect(await code("number", Int32.self) == .decoding)
        #expect(await code("number", String.self) == .decoding)
        #expect(await postgresError { try row.decode("number", as: [Int64].self) }?.code == .decoding)
        #expect(await code("word", Int.self) == .decoding)
        #expect(await code("word", UUID.self) == .decoding)
        #expect(await code("nothing", Int.self) == .decoding)
        #expect(await postgresError { try row.decode("matrix", as: [Int].self) }?.code == .decoding)
        #expect(await code("missing", Int.self) == .decoding)
        #expect(await postgresError { try row.decode(4, as: Int.self) }?.code == .decoding)
        #expect(await postgresError { try row.decode(-1, as: Int.self) }?.code == .decoding)
        #expect(try row.decode("nothing", as: Int?.self) == nil)
    }

    @Test func lendsBytes() async throws {
        let connection = try await connect()
        let result = try await connection.query("SELECT '\\x010203'::bytea, NULL::bytea, 7::int2, 8::int4, 9::int8")
        let sum = unsafe result.withBytes(row: 0, column: 0) { unsafe $0.reduce(0) { $0 + Int($1) } }
        #expect(sum == 6)
        #expect(result.isNull(row: 0, column: 1))
        #expect(result.length(row: 0, column: 0) == 3)
        #expect(result.int16(row: 0, column: 2) == 7)
        #expect(result.int32(row: 0, column: 3) == 8)
        #expect(result.int64(row: 0, column: 4) == 9)
    }

    @Test func resultsOutliveTheirConnection() async throws {
        let result = try await connect().query("SELECT g, 'row ' || g FROM generate_series(1, 100) g")
        #expect(result.count == 100)
        #expect(try result.map { try $0.decode(1, as: String.self) }.last == "row 100")
        #expect(try result.last?.decode(0, as: Int.self) == 100)
    }
}
