"""SQL about streams: what it answers, and what it never does."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.services.query.streams_here import MINUTE, START, Place, gathered, held, observed
from twincli.errors import InvalidError, UndeterminedError
from twincli.services.query import asked, sql
from twincli.services.query.asked import Typed
from twincli.services.query.pieces import Held
from twincli.services.query.query import Found, Streams


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def stream(place: Place) -> Held:
    parts = [
        observed(START + at * MINUTE, value=float(at), metadata__speed=at, tags=["a", at], ok=True)
        for at in range(100)
    ]
    later = observed(START + 100 * MINUTE, value=1.5)
    return held("sensor-data", [*place.chunk(gathered(parts, "sensor-data"), "sensor-data"), later])


def ask(place: Place, stream: Held, text: str, timeout: float = 60, **options: Any) -> Found:
    question = asked.read(Typed((stream.name,), **options), START // 1000)
    statement = sql.check(text, ["sensor-data", "door"])
    chosen = (stream,) if stream.name in statement.streams else ()
    return sql.run(place.feed(), statement, Streams("t" * 64, chosen, ()), question, timeout)


def rows(place: Place, stream: Held, text: str, **options: Any) -> list[dict[str, Any]]:
    return list(ask(place, stream, text, **options).rows())


def test_answers(place: Place, stream: Held) -> None:
    assert rows(place, stream, 'select count(*) as n, avg(value) as mean from "sensor-data"') == [
        {"n": 101, "mean": (4950 + 1.5) / 101}
    ]
    (row,) = rows(place, stream, 'from "sensor-data" order by timestamp limit 1')
    assert row == {
        "timestamp": "2024-01-01T00:00:00.000Z",
        "value": 0.0,
        "metadata.speed": 0,
        "tags": '["a",0]',
        "ok": True,
    }
    text = 'with s as (select * from "Sensor-Data" where ok) select count(*) n from s, range(3)'
    assert rows(place, stream, text) == [{"n": 300}]
    assert rows(place, stream, "select 1, 1, [1.5, null] l, {'a': 1::decimal} s, 'x'::blob b") == [
        {"1": 1, "1_": 1, "l": [1.5, None], "s": {"a": 1}, "b": "78"}
    ]
    assert rows(place, stream, "select 'nan'::double a, 'inf'::float b") == [
        {"a": "nan", "b": "inf"}
    ]
    assert rows(place, stream, 'select value from "sensor-data" where false') == []
    since = rows(
        place, stream, 'select count(*) n from "sensor-data"', since="2024-01-01T01:00:00Z"
    )
    assert since == [{"n": 41}]
    found = ask(place, stream, 'from "sensor-data"', limit=7)
    assert (len(list(found.rows())), found.truncated) == (7, True)
    names = [row["column_name"] for row in rows(place, stream, 'describe "sensor-data"')]
    assert names == ["timestamp", "metadata.speed", "ok", "tags", "value"]


FORBIDDEN = """\
copy (select 1) to 'stolen.csv'
copy (select 1) to 'stolen.parquet' (format parquet)
copy "sensor-data" to '/dev/stdout'
copy "sensor-data" from '/etc/passwd'
export database 'stolen'
import database 'stolen'
attach 'stolen.db'
attach ':memory:' as other
detach memory
install httpfs
load httpfs
force install httpfs
set enable_external_access = true
set global lock_configuration = false
set memory_limit = '100GB'
reset threads
pragma version
pragma enable_profiling
call pragma_version()
create table t (a int)
create view v as select 1
create macro m() as 1
create secret (type s3)
drop table "sensor-data"
alter table "sensor-data" add column x int
insert into "sensor-data" values (1)
update "sensor-data" set value = 1
delete from "sensor-data"
truncate "sensor-data"
begin transaction
checkpoint
vacuum
analyze
explain select 1
explain analyze select 1
prepare p as select 1
execute p
use memory
select 1; select 2
select 1; copy (select 1) to 'stolen.csv'
select * from read_text('/etc/hostname')
select * from main.read_text('/etc/hostname')
select * from "READ_TEXT"('/etc/hostname')
select * from read_blob('/etc/hostname')
select * from read_csv('/etc/passwd')
select * from read_csv_auto('/etc/passwd')
select * from read_json('/etc/passwd')
select * from read_parquet('/etc/passwd')
select * from parquet_metadata('/etc/passwd')
select * from parquet_scan('/etc/passwd')
select * from sniff_csv('/etc/passwd')
select * from glob('/etc/*')
select * from '/etc/passwd'
select * from 'https://example.org/x.parquet'
select * from "/etc/hostname.csv"
select (select content from read_text('/etc/hostname'))
with a as (select * from read_text('/etc/hostname')) select * from a
select 1 where exists (select 1 from read_text('/etc/hostname'))
select 1 union all select content from read_text('/etc/hostname')
select * from query('select 1')
select * from query_table('sensor-data')
select * from arrow_scan(94::pointer, 94::pointer, 94::pointer)
select * from pandas_scan(94::pointer)
select * from duckdb_settings()
select * from duckdb_secrets()
select * from duckdb_extensions()
select * from enable_logging()
select * from information_schema.tables
select current_setting('secret_directory')
select getenv('HOME')
select * from nowhere
select * from door2
copy from database memory to other
copy (select 1) to 'stolen.json' (format json)
copy "sensor-data" to 'stolen' (format csv, partition_by ok)
attach or replace 'stolen.db' as memory
attach 'https://example.org/x.db' as web (read_only)
load '/tmp/stolen.duckdb_extension'
update extensions
set variable stolen = 1
set schema = 'pg_catalog'
reset all
pragma database_list
pragma add_parquet_key('k', '0123456789112345')
pragma table_info('sensor-data')
call force_checkpoint()
create or replace temp table "sensor-data" as select 1
create schema stolen
create sequence stolen
create type stolen as enum ('a')
create index stolen on "sensor-data" (value)
comment on table "sensor-data" is 'x'
merge into "sensor-data" using (select 1) s on true when matched then delete
drop macro if exists m
commit
rollback
deallocate p
select read_text('/etc/hostname')
select * from read_ndjson_objects('/etc/passwd')
select * from read_json_objects_auto('/etc/passwd')
select * from parquet_schema('/etc/passwd')
select * from parquet_kv_metadata('/etc/passwd')
select * from parquet_bloom_probe('/etc/passwd', 'a', 1)
select * from sqlite_scan('/tmp/a.db', 't')
select * from json_execute_serialized_sql('{}')
select * from seq_scan('sensor-data')
select * from duckdb_logs()
select * from duckdb_memory()
select * from which_secret('s3://a', 's3')
select * from pragma_storage_info('sensor-data')
select * from test_all_types()
select * from pg_timezone_names()
select * from sqlite_master
select * from pg_catalog.pg_tables
select * from duckdb_tables
select * from loaded
select * from "sensor-data", lateral (select * from glob('/etc/*'))
select 1 in (select file from glob('/etc/*'))
select * from range(1) limit (select count(*) from glob('/etc/*'))
select * from range(1) order by (select count(*) from glob('/etc/*'))
select count(*) filter (where (select count(*) from glob('/etc/*')) > 0) from "sensor-data"
select list_transform([1], x -> (select count(*) from glob('/etc/*')))
with recursive r as (select 1 union all select * from glob('/etc/*')) select * from r
values ((select content from read_text('/etc/hostname')))
from (from read_text('/etc/hostname'))
describe select * from read_text('/etc/hostname')
summarize '/etc/passwd'
describe '/etc/hostname.csv'
show databases
show all tables
pivot read_csv('/etc/passwd') on a
unpivot (from read_text('/etc/hostname')) on size into name n value v
select * from memory.main."sensor-data"
select * from system.main."sensor-data"
select write_log('x')
select getvariable('x')
select nextval('x')""".splitlines()


@pytest.mark.parametrize("text", FORBIDDEN)
def test_forbidden(
    place: Place, stream: Held, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InvalidError) as caught:
        ask(place, stream, text)
    assert caught.value.code in {"sql_refused", "invalid_sql"}
    assert sorted(tmp_path.iterdir()) == before


def test_errors_name_what_was_refused(place: Place, stream: Held) -> None:
    for text, word in (
        ("copy (select 1) to 'x'", "COPY"),
        ("select * from read_text('/etc/hostname')", "read_text"),
        ("select * from doors", "doors"),
        ("select 1; select 2", "more than one"),
    ):
        with pytest.raises(InvalidError, match=word) as caught:
            ask(place, stream, text)
        assert caught.value.code == "sql_refused"
    for text in ("selekt 1", "select", 'select x from "sensor-data"', "x" * 200_000, "", ";", "--"):
        with pytest.raises(InvalidError):
            ask(place, stream, text)


def test_the_engine_itself_is_locked(place: Place, stream: Held) -> None:
    """What a look through the statement missed would still reach nothing."""
    for text in (
        "select * from read_text('/etc/hostname')",
        "copy (select 1) to 'stolen.csv'",
        "set memory_limit = '100GB'",
        "attach 'stolen.db'",
    ):
        question = asked.read(Typed((stream.name,)), START // 1000)
        with pytest.raises(InvalidError):
            sql.run(place.feed(), sql.Statement(text, ()), Streams("t", (), ()), question)


def test_a_call_that_cannot_be_interrupted_is_left_alone(
    place: Place, stream: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine looks for an interruption between vectors, not within a function."""
    monkeypatch.setattr(sql, "GRACE", 0.05)
    text = "select list_sum(list_transform(range(3000000), lambda x: sqrt(x) * sin(x)))"
    with pytest.raises(UndeterminedError) as caught:
        ask(place, stream, text, timeout=0.2)
    assert caught.value.code == "query_timeout"
    (left,) = (each for each in threading.enumerate() if each.name == sql.THREAD)
    assert left.daemon  # it keeps no process from ending
    left.join()


def test_endless_and_huge_questions_end(place: Place, stream: Held) -> None:
    with pytest.raises(UndeterminedError) as caught:
        ask(place, stream, "select count(*) from range(100000000000) a, range(9) b", timeout=0.3)
    assert caught.value.code == "query_timeout"
    with pytest.raises(InvalidError, match="memory"):
        ask(place, stream, "select list(a.range) from range(200000000) a")
    with pytest.raises(UndeterminedError):
        ask(
            place,
            stream,
            "with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) from r",
            timeout=0.3,
        )
