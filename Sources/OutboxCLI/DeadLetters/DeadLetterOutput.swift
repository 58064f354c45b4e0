import OutboxPostgres
enum DeadLetterOutput { static func table(_ d: [DeadLetter]) -> Table { Table(("ID", .right)) } }
