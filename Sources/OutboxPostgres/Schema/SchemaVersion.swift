/// How far a schema has been migrated, and which programs work with it. A value without I/O.
struct SchemaVersion: Sendable, Hashable {
    /// The newest migration that was applied; 0: the table of versions is empty.
    let newest: Int
    /// The oldest program that works with the schema, as the newest version that such a program knows.
    let readableBy: Int

    /// What a program knows of schemas.
    struct Program: Sendable, Hashable {
        /// The newest version that it knows.
        var newest = OutboxSchema.currentVersion
        /// The oldest version that it works with.
        var oldest = OutboxSchema.oldestVersion
    }

    /// Makes sure that a program works with the schema.
    ///
    /// - Throws: ``OutboxError/Code/schemaUnversioned``, ``OutboxError/Code/schemaTooOld`` or
    ///   ``OutboxError/Code/schemaTooNew``.
    func check(_ schema: OutboxSchema, program: Program = Program()) throws(OutboxError) {
        if self.newest == 0 { throw OutboxError.unversioned(schema) }
        if self.newest < program.oldest {
            throw OutboxError.outdated(schema, version: self.newest, needed: program.oldest)
        }
        if self.readableBy > program.newest {
            throw OutboxError.newer(schema, version: self.newest, known: program.newest)
        }
    }
}

extension SchemaVersion {
    /// Reads the row of the statement `version`.
    init(_ row: LibPQRow) throws(LibPQError) {
        self.newest = Int(try row.decode("version", as: Int32.self))
        self.readableBy = Int(try row.decode("readable_by", as: Int32.self))
    }
}
