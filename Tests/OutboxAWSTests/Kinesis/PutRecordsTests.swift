import Foundation
import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct PutRecordsTests {
    /// A record as it is sent.
    private struct Record: Decodable {
        let partitionKey: String
        let explicitHashKey: String?
        let data: Data

        private enum CodingKeys: String, CodingKey {
            case partitionKey = "PartitionKey"
            case explicitHashKey = "ExplicitHashKey"
            case data = "Data"
        }
    }

    private struct Body: Decodable {
        let records: [Record]
        private enum CodingKeys: String, CodingKey { case records = "Records" }
    }

    private func table(_ messages: [NewMessage], _ action: PutRecords) -> EntryTable<KinesisRecord> {
        action.table(of: LentBatch(MessageBatch(messages)))
    }

    private func action(_ change: (inout KinesisConfiguration) -> Void = { _ in }) -> PutRecords {
        var configuration = KinesisConfiguration(stream: "events")
        change(&configuration)
        return PutRecords(configuration: configuration)
    }

    private func record(
        _ new: NewMessage, _ change: (inout KinesisConfiguration) -> Void = { _ in }
    ) throws -> (sent: Record, byteCount: Int) {
        let action = self.action(change)
        let table = self.table([new], action)
        if let refusal = table.list.refusal(at: 0) { throw refusal }
        let body = action.body(of: [0], in: table, address: "events")
        return (try JSONDecoder().decode(Body.self, from: Data(body)).records[0], table.list.byteCount(at: 0))
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
        #expect(record.sent.partitionKey == "k" && record.sent.data == Data(0...255) && record.byteCount == 257)
        let other = try self.record(.text(""))
        #expect(Int64(other.sent.partitionKey) != nil && other.sent.data.isEmpty)
    }

    @Test(arguments: ["", String(repeating: "ü", count: 257)])
    func aKeyThatIsNoPartitionKeyIsHashed(_ key: String) throws {
        #expect(try self.record(.text("a", key: key)).sent.partitionKey.hasPrefix("sha256-"))
    }

    @Test func theLongestPartitionKeyStays() throws {
        let key = String(repeating: "ü", count: 256)
        #expect(try self.record(.text("a", key: key)).sent.partitionKey == key)
    }

    @Test(arguments: ["0", "340282366920938463463374607431768211455"])
    func anExplicitHashKey(_ number: String) throws {
        let record = try self.record(.text("a", headers: ["hash": number])) { $0.explicitHashKey = "{header.hash}" }
        #expect(record.sent.explicitHashKey == number)
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
        let half = RequestPacker.Item(index: 0, target: 0, byteCount: 5_242_880)
        let packer = PutRecords(configuration: KinesisConfiguration(stream: "events")).packer
        #expect(packer.loads(of: [half, half]).count == 2)
        #expect(packer.loads(of: [.init(index: 0, target: 0, byteCount: KinesisRecord.maximumBytes)]).count == 1)
    }

    @Test func writesARequest() throws {
        let messages = [NewMessage.text("ab", key: "k\""), .text("", key: "é")]
        for (action, hashKey) in [
            (self.action(), ""), (self.action { $0.explicitHashKey = "7" }, #""ExplicitHashKey":"7","#),
        ] {
            let body = action.body(of: [0, 1], in: self.table(messages, action), address: "events")
            #expect(
                String(decoding: body, as: UTF8.self)
                    == #"{"StreamName":"events","Records":[{"PartitionKey":"k\"",\#(hashKey)"Data":"YWI="},"#
                    + #"{"PartitionKey":"é",\#(hashKey)"Data":""}]}"#)
        }
    }

    /// Most records are written out of the memory that messages lie in. Beside the others, which a template makes of the same.
    @Test func whatIsWrittenQuicklyIsTheSame() {
        var random = SystemRandomNumberGenerator()
        let (quick, other) = (self.action(), self.action { $0.partitionKey = "{key}" })
        for _ in 0..<100 {
            let parts = ["a", "\"", "\\", "\n", "\u{1F}", "\u{7F}", "ü"]
            let messages = (0..<20).map { number in
                // Half of them in ASCII.
                let key = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                    parts.dropLast(number % 2).randomElement(using: &random)!
                }
                let payload = (0..<Int.random(in: 0...50, using: &random)).map { _ in UInt8.random(in: 0...255) }
                return NewMessage(to: "orders", key: key.joined(), payload: payload)
            }
            let tables = (self.table(messages, quick), self.table(messages, other))
            #expect(messages.indices.contains { tables.0.entry(at: $0) == nil })
            #expect(messages.indices.allSatisfy { tables.1.entry(at: $0) != nil })
            let indexes = Array(messages.indices.shuffled().prefix(10))
            #expect(
                quick.body(of: indexes, in: tables.0, address: "s")
                    == other.body(of: indexes, in: tables.1, address: "s"))
            #expect(messages.indices.allSatisfy { tables.0.list.byteCount(at: $0) == tables.1.list.byteCount(at: $0) })
        }
    }

    private func results(_ text: String, _ count: Int = 2) -> [EntryResult]? {
        let action = PutRecords(configuration: KinesisConfiguration(stream: "events"))
        let table = self.table(Array(repeating: .text("x"), count: count), action)
        return action.results(in: Array(text.utf8), of: Array(0..<count), in: table)
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
        // Of a code that is not known nothing says that Kinesis is down: it costs attempts, alone too.
        #expect(self.results(#"{"Records":[{"ErrorCode":"Odd"}]}"#, 1) == [.unclear("Kinesis: Odd")])
    }

    @Test(arguments: ["", "<html>", "{}", #"{"Records":[]}"#, #"{"Records":[{"SequenceNumber":"1"}]}"#])
    func whatIsNoAnswerIsNone(_ text: String) { #expect(self.results(text) == nil) }
}
