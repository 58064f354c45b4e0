import Foundation
import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct PutRecordsTests {
    private func record(_ new: NewMessage, _ change: (inout KinesisConfiguration) -> Void = { _ in }) throws
        -> KinesisRecord
    {
        var configuration = KinesisConfiguration(stream: "events")
        change(&configuration)
        return try PutRecords(configuration: configuration).entry(for: message(new))
    }

    private func data(of record: KinesisRecord) -> [UInt8] {
        unsafe record.withData { bytes in unsafe Array(bytes) }
    }

    private func refusal(_ new: NewMessage, _ change: (inout KinesisConfiguration) -> Void = { _ in }) -> String {
        do {
            _ = try self.record(new, change)
            return ""
        } catch {
            return (error as? MessageRefusal)?.reason ?? "\(error)"
        }
    }

    @Test func aRecordHasTheKeyAndThePayload() throws {
        let record = try self.record(NewMessage(to: "orders", key: "k", payload: Array(0...255)))
        #expect(record.partitionKey == "k" && data(of: record) == Array(0...255) && record.byteCount == 257)
        let other = try self.record(.text(""))
        #expect(Int64(other.partitionKey) != nil && data(of: other).isEmpty)
    }

    @Test(arguments: ["", String(repeating: "ü", count: 257)])
    func aKeyThatIsNoPartitionKeyIsHashed(_ key: String) throws {
        #expect(try self.record(.text("a", key: key)).partitionKey.hasPrefix("sha256-"))
    }

    @Test func theLongestPartitionKeyStays() throws {
        let key = String(repeating: "ü", count: 256)
        #expect(try self.record(.text("a", key: key)).partitionKey == key)
    }

    @Test(arguments: ["0", "340282366920938463463374607431768211455"])
    func anExplicitHashKey(_ number: String) throws {
        let record = try self.record(.text("a", headers: ["hash": number])) { $0.explicitHashKey = "{header.hash}" }
        #expect(record.explicitHashKey == number)
    }

    @Test(arguments: ["", "-1", "+1", "x", "340282366920938463463374607431768211456"])
    func refusesWhatIsNoHashKey(_ number: String) {
        let refusal = self.refusal(.text("a", headers: ["hash": number])) { $0.explicitHashKey = "{header.hash}" }
        #expect(refusal.contains("2^128"))
    }

    @Test func refusesWhatIsTooLarge() {
        let largest = NewMessage(to: "orders", key: "k", payload: Array(repeating: 1, count: 10_485_759))
        #expect(self.refusal(largest).isEmpty)
        #expect(
            self.refusal(NewMessage(to: "orders", key: "kk", payload: Array(largest.payload))).contains("Kinesis takes")
        )
        #expect(self.refusal(.text("a", route: "a b")) { $0.stream = "{route}" }.contains("is no stream"))
    }

    @Test func aRequestOfSeveralRecordsIsNotFilledToTheLastByte() {
        let half = RequestPacker.Item(index: 0, target: "s", byteCount: 5_242_880)
        let packer = PutRecords(configuration: KinesisConfiguration(stream: "events")).packer
        #expect(packer.loads(of: [half, half]).count == 2)
        #expect(packer.loads(of: [.init(index: 0, target: "s", byteCount: KinesisRecord.maximumBytes)]).count == 1)
    }

    @Test func writesARequest() throws {
        let action = PutRecords(configuration: KinesisConfiguration(stream: "events", explicitHashKey: "7"))
        let entries = [try action.entry(for: message(.text("ab", key: "k\"")))]
        let body = String(decoding: action.body(of: entries, address: "events"), as: UTF8.self)
        #expect(
            body == #"{"StreamName":"events","Records":[{"PartitionKey":"k\"","ExplicitHashKey":"7","Data":"YWI="}]}"#)
    }

    private func results(_ text: String, _ count: Int = 2) -> [EntryResult]? {
        let action = PutRecords(configuration: KinesisConfiguration(stream: "events"))
        let entries = (0..<count).compactMap { _ in try? action.entry(for: message(.text("x"))) }
        return action.results(in: Array(text.utf8), of: entries)
    }

    @Test func readsAnAnswer() {
        #expect(
            self.results(
                #"{"FailedRecordCount":1,"Records":[{"SequenceNumber":"1","ShardId":"s"},{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"m"}]}"#
            )
                == [.delivered, .throttled("Kinesis: ProvisionedThroughputExceededException: m")])
        #expect(
            self.results(#"{"Records":[{"ErrorCode":"InternalFailure"},{}]}"#)
                == [.failed("Kinesis: InternalFailure"), .failed("Kinesis did not say what became of the record")])
        #expect(self.results(#"{"Records":[{"SequenceNumber":""}]}"#, 1) != [.delivered])
    }

    @Test(arguments: ["", "<html>", "{}", #"{"Records":[]}"#, #"{"Records":[{"SequenceNumber":"1"}]}"#])
    func whatIsNoAnswerIsNone(_ text: String) { #expect(self.results(text) == nil) }
}
