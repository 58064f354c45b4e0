"""A migration as one to come may be: it only adds, and says that the program before works with it. It takes the locks that 0005 took, and
those of the other tables."""


def up(version):
    return f"""
DO $$ BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW outbox.lag AS ' || pg_get_viewdef('outbox.lag'::regclass);
    EXECUTE pg_get_functiondef('outbox.announce_dead_letter()'::regprocedure);
END $$;
ALTER TABLE outbox.stream ADD COLUMN addition text DEFAULT '';
ALTER TABLE outbox.deferred ADD COLUMN addition text;
ALTER TABLE outbox.dead_letter ADD COLUMN addition text;
ALTER TABLE outbox.message ADD COLUMN addition text;
CREATE FUNCTION outbox.addition() RETURNS integer LANGUAGE sql RETURN 1;
INSERT INTO outbox.migration (version, name, checksum, readable_by) VALUES ({version + 1}, 'addition', 'addition', {version});
DO $$ BEGIN
    EXECUTE format('COMMENT ON TABLE outbox.migration IS %L',
        obj_description('outbox.migration'::regclass) || E'\\n{version + 1} addition addition readable by {version}');
END $$;
"""


def down(version):
    return f"""
DELETE FROM outbox.migration WHERE version = {version + 1};
DO $$ BEGIN
    EXECUTE format('COMMENT ON TABLE outbox.migration IS %L',
        split_part(obj_description('outbox.migration'::regclass), E'\\n{version + 1} ', 1));
END $$;
DROP FUNCTION outbox.addition();
ALTER TABLE outbox.message DROP COLUMN addition;
ALTER TABLE outbox.dead_letter DROP COLUMN addition;
ALTER TABLE outbox.deferred DROP COLUMN addition;
ALTER TABLE outbox.stream DROP COLUMN addition;
"""
