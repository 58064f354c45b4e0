extension BenchReport {
    /// One document on one line.
    var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.name("machine")
        self.machine.write(to: &json)
        json.name("comparisons")
        json.beginArray()
        for comparison in self.comparisons { comparison.write(to: &json) }
        json.endArray()
        json.endObject()
        json.newline()
        return json.bytes
    }
}

extension Machine {
    fileprivate func write(to json: inout JSONWriter) {
        json.beginObject()
        json.name("processor")
        json.string(self.processor)
        json.name("cores")
        json.integer(self.cores)
        json.name("memory_bytes")
        json.integer(self.memory)
        json.name("system")
        json.string(self.system)
        json.name("postgres")
        json.string(self.postgres)
        json.name("fsync")
        json.bool(self.fsync == "on")
        json.name("load")
        json.double(self.load)
        json.name("date")
        json.string(Timestamp.text(self.date))
        json.endObject()
    }
}

extension Comparison {
    fileprivate func write(to json: inout JSONWriter) {
        json.beginObject()
        json.name("name")
        json.string(self.name)
        json.name("reference")
        json.string(self.reference)
        json.name("unit")
        json.string(self.unit)
        json.name("median")
        json.double(self.values.median)
        json.name("reference_median")
        json.double(self.referenceValues.median)
        json.name("ratio")
        json.double(self.ratio)
        json.name("wanted")
        self.goal == .none ? json.null() : json.string(self.goalText)
        json.name("met")
        if let isMet { json.bool(isMet) } else { json.null() }
        json.name("values")
        json.beginArray()
        for value in self.values { json.double(value) }
        json.endArray()
        json.name("reference_values")
        json.beginArray()
        for value in self.referenceValues { json.double(value) }
        json.endArray()
        json.endObject()
    }
}
