-- Gives what stands in schema bo to the role that migrates: after a restore (pg_restore --no-owner) it belongs to whoever
-- restored it. Does nothing where it is the role's already.
-- Grain: one statement per item of the schema. Contract: serving 5. {migrator} stands for the role's name.
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT 1 AS step, 'SCHEMA bo' AS what
        FROM pg_catalog.pg_namespace
        WHERE nspname = 'bo' AND pg_catalog.pg_get_userbyid(nspowner) <> '{migrator}'
        UNION ALL
        SELECT 2, pg_catalog.format('TABLE %s', c.oid::pg_catalog.regclass)
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'bo' AND c.relkind IN ('r', 'p', 'v', 'm')
            AND pg_catalog.pg_get_userbyid(c.relowner) <> '{migrator}'
        UNION ALL
        SELECT 3, pg_catalog.format('FUNCTION %s', p.oid::pg_catalog.regprocedure)
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'bo' AND pg_catalog.pg_get_userbyid(p.proowner) <> '{migrator}'
        ORDER BY step, what
    LOOP
        EXECUTE pg_catalog.format('ALTER %s OWNER TO "{migrator}"', item.what);
    END LOOP;
END
$$
