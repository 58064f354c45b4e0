import CRdKafka
import Outbox

/// Delivers one batch: hands its records to the producer, waits for their reports, and judges them.
///
/// Records of one key are under way together. Within a partition librdkafka and the broker see to it that none passes one
/// that failed; nothing does so between partitions. So where records of a batch go to different topics, a key's next record
/// waits for the report of the one before.
struct BatchDelivery: ~Copyable {
    private enum Sending {
        case done
        case full
        /// The producer has ended; the loop makes another one.
        case ended
    }

    /// How many producers may end under a batch without any of its records being settled.
    private static let patience = 16

    private let batch: MessageBatch
    private let template: RecordTemplate
    private let sharedProducer: SharedProducer
    private let reports: BatchReports
    private let records: BatchRecords
    private var schedule: BatchSchedule
    /// Whether it is to be found out which record a broker refuses.
    private var isSuspicious = false
    private var hasFoundCulprit = false
    private var producer: Producer?
    /// How many producers were used since a record was settled.
    private var fruitlessProducers = 0

    init(
        _ batch: MessageBatch, _ records: BatchRecords, template: RecordTemplate, sharedProducer: SharedProducer,
        reports: BatchReports
    ) {
        self.batch = batch
        self.template = template
        self.sharedProducer = sharedProducer
        self.reports = reports
        self.records = records
        self.schedule = BatchSchedule(batch, keyOrder: self.records.areOrdered ? .pipelined : .oneAtATime)
    }

    deinit {
        // Cancelled, it has found out nothing.
        if self.isSuspicious { self.sharedProducer.clear(hasFound: self.hasFoundCulprit || !self.schedule.isDone) }
    }

    /// Delivers.
    ///
    /// - Throws: `CancellationError`, at once; the records in flight are still reported, and no task waits for them.
    mutating func run() async throws -> [Outcome] {
        while true {
            if self.reports.isCancelled { throw CancellationError() }
            self.takeReports()
            if self.schedule.isDone { return self.schedule.outcomes }
            if let ending = self.reports.ending {
                if self.schedule.inFlight > 0 {
                    // Some may have been confirmed before their producer ended.
                    await self.reports.wait(for: .anything)
                } else {
                    // These were not sent: there was no room beside what waits for a leader.
                    let isTheirs = self.reports.leaderless == nil
                    self.schedule.settleRest(
                        isTheirs ? ending : self.postponed("it waits for partitions without a leader"))
                }
                continue
            }
            switch self.sharedProducer.admission(isSuspicious: self.isSuspicious) {
            case .refuse(let outcome):
                self.schedule.settleRest(outcome)
            case .wait:
                await self.reports.wait(for: .anything)
            case .send(let producer):
                await self.send(to: producer)
            }
        }
    }

    // MARK: Sending

    /// Sends what can be sent, and waits until there is something to do.
    private mutating func send(to producer: Producer) async {
        let roomsMade = self.sharedProducer.roomsMade
        if self.producer !== producer {
            self.producer = producer
            self.fruitlessProducers += 1
            if self.fruitlessProducers > Self.patience {
                let reason = self.sharedProducer.lastFailure.map { ": \($0)" } ?? ""
                return self.schedule.settleRest(.unavailable("every producer failed\(reason)"))
            }
        }
        switch producer.use({ self.sendAll(to: producer) }) {
        case .done:
            self.sharedProducer.passRoomOn(from: self.reports)
            if self.schedule.inFlight == 0 { return }
            await self.reports.wait(for: self.records.areOrdered ? .everything : .anything)
        case .full:
            self.sharedProducer.wantRoom(self.reports, roomsMade: roomsMade, isFirst: self.schedule.inFlight > 0)
            await self.reports.wait(for: .anything)
        case .ended, nil:
            await self.reports.wait(for: .anything)
        }
    }

    private mutating func sendAll(to producer: Producer) -> Sending {
        var sent = 0
        defer { if sent > 0 { self.reports.sent(sent) } }
        self.reports.retain()
        var topic: (name: String, handle: KafkaTopic)?
        while let index = self.schedule.next() {
            let record: RecordTemplate.Record
            do throws(RecordTemplate.Refusal) {
                record = try self.records.record(at: index)
            } catch {
                self.settle(index, .reject(error.reason))
                continue
            }
            if topic?.name != record.topic {
                guard let handle = producer.topic(record.topic) else {
                    self.settle(index, .reject("“\(record.topic)” is no topic"))
                    continue
                }
                topic = (record.topic, handle)
            }
            guard let handle = topic?.handle else { continue }
            switch self.send(index, record, to: handle, producer) {
            case .taken:
                sent += 1
            case .full:
                self.schedule.sendAgain(index)
                return .full
            case .refused(let code):
                let meaning = ReportMeaning(refusedLocally: code)
                self.judge(index, code, meaning, isAlone: false)
                if meaning == .sendAgain { return .ended }
            }
        }
        return .done
    }

    private func send(
        _ index: Int, _ record: RecordTemplate.Record, to topic: KafkaTopic, _ producer: Producer
    ) -> Producer.Answer {
        let message = self.batch[index]
        let lent = unsafe message.payloadInPlace
        if let lent = unsafe lent {
            return unsafe self.send(index, message, record, lent, isLent: true, to: topic, producer)
        }
        return unsafe message.withPayload { payload in
            unsafe self.send(index, message, record, payload, isLent: false, to: topic, producer)
        }
    }

    private func send(
        _ index: Int, _ message: Message, _ record: RecordTemplate.Record, _ payload: UnsafeRawBufferPointer,
        isLent: Bool, to topic: KafkaTopic, _ producer: Producer
    ) -> Producer.Answer {
        let isNull = unsafe payload.isEmpty && self.template.isEmptyPayloadNull
        let timestamp = RecordTime.timestamp(of: message.createdAt, self.template.timestamp)
        let opaque = unsafe self.reports.slot(index, isAlone: producer.isSolitary)
        guard var key = record.key else {
            return unsafe producer.send(
                to: topic, partition: record.partition, key: nil, value: isNull ? nil : payload, isLent: isLent,
                timestamp: timestamp, headers: self.headers(record, message), opaque: opaque)
        }
        return key.withUTF8 { key in
            unsafe producer.send(
                to: topic, partition: record.partition, key: UnsafeRawBufferPointer(key),
                value: isNull ? nil : payload, isLent: isLent, timestamp: timestamp,
                headers: self.headers(record, message), opaque: opaque)
        }
    }

    private func headers(_ record: RecordTemplate.Record, _ message: Message) -> RecordHeaders? {
        let count =
            record.headers.count + (self.template.idHeader == nil ? 0 : 1)
            + (self.template.enqueuedAtHeader == nil ? 0 : 1)
        if count == 0 { return nil }
        let headers = RecordHeaders(capacity: count)
        for (name, value) in record.headers { headers.add(name, value) }
        if let idHeader = self.template.idHeader { headers.add(idHeader, String(message.id)) }
        if let enqueuedAtHeader = self.template.enqueuedAtHeader {
            headers.add(enqueuedAtHeader, String(RecordTime.milliseconds(message.createdAt)))
        }
        return headers
    }

    // MARK: Judging

    private mutating func takeReports() {
        while let report = self.reports.nextReport() {
            let slot = report.slot
            self.judge(
                report.index, slot.code, ReportMeaning(slot.code), isAlone: slot.isAlone, partition: slot.partition)
        }
    }

    private mutating func judge(
        _ index: Int, _ code: rd_kafka_resp_err_t, _ meaning: ReportMeaning, isAlone: Bool, partition: Int32 = -1
    ) {
        switch meaning {
        case .delivered:
            self.settle(index, .delivered)
        case .timestampRefused where self.template.timestamp == .produced:
            // It was the time at which it was sent, so no message would fare better.
            self.settle(index, .unavailable("\(errorText(code)); is the clock of this machine right?"))
        case .sendAgain:
            guard let ending = self.reports.ending else { return self.schedule.sendAgain(index) }
            if let topic = self.topicWithoutLeader(index, partition) {
                self.settle(
                    index, self.postponed("the partition \(partition) of the topic “\(topic)” has no leader"))
            } else {
                self.settle(index, ending)
            }
        case .refused where !isAlone, .timestampRefused where !isAlone:
            self.schedule.sendAgain(index)
            if self.isSuspicious { return }
            self.isSuspicious = true
            self.sharedProducer.suspect()
        case .refused, .timestampRefused:
            self.hasFoundCulprit = true
            self.settle(index, .reject(errorText(code)))
        case .impossible:
            self.settle(index, .reject(errorText(code)))
        case .topicRefused:
            let record = try? self.records.record(at: index)
            let reason = "the topic “\(record?.topic ?? "")”: \(errorText(code))"
            self.settle(index, record?.isAddressFixed == true ? .unavailable(reason) : .retry(reason))
        case .failed:
            self.settle(index, .retry(errorText(code)))
        case .unavailable:
            self.settle(index, .unavailable(errorText(code)))
        }
    }

    /// The topic of a record whose partition had no leader; nil: it had one.
    private func topicWithoutLeader(_ index: Int, _ partition: Int32) -> String? {
        guard let leaderless = self.reports.leaderless, let record = try? self.records.record(at: index) else {
            return nil
        }
        return leaderless.partitions[record.topic]?.contains(partition) == true ? record.topic : nil
    }

    private func postponed(_ reason: String) -> Outcome {
        .postpone(after: self.reports.leaderless?.pause ?? .zero, reason)
    }

    private mutating func settle(_ index: Int, _ outcome: Outcome) {
        self.fruitlessProducers = 0
        self.schedule.settle(index, outcome)
    }
}
