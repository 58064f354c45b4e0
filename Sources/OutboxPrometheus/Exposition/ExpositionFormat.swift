/// How metrics are written.
package enum ExpositionFormat: Sendable, Hashable, CaseIterable {
    /// Prometheus's text format 0.0.4.
    case text
    /// OpenMetrics 1.0.
    case openMetrics

    /// The value of `Content-Type`.
    package var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format that an `Accept` header asks for. Text where it asks for neither, or for both alike without naming OpenMetrics.
    package init(accept header: String?) {
        guard let header else {
            self = .text
            return
        }
        let accept = AcceptHeader(header)
        let text = accept.quality(of: "text/plain", version: "0.0.4")
        let openMetrics = accept.quality(of: "application/openmetrics-text", version: "1.0.0")
        let isBetter =
            openMetrics.value > text.value || openMetrics.value == text.value && openMetrics.rank > text.rank
            || openMetrics.value == text.value && openMetrics.isExact
        self = openMetrics.value > 0 && isBetter ? .openMetrics : .text
    }
}
