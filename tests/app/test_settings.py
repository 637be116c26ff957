"""Settings: each that is missing or cannot be used is named, all at once, and its value is not."""

import zoneinfo
from datetime import UTC, datetime

import pytest

from app.rights.scrubbing import is_quiet
from app.settings import NEEDED, Settings, SettingsError, read_settings

WHOLE = {
    "LOKET_ENV": "production",
    "LOKET_PUBLIC_URL": "https://loket.kota.example",
    "LOKET_DATABASE_URL": "postgresql://loket:hush@db.internal/loket",
    "LOKET_VALKEY_URL": "redis://:hush@valkey.internal/0",
    "LOKET_DATA_KEY": "a",
    "LOKET_INDEX_KEY": "b",
}


def refused(given: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refusal:
        read_settings(WHOLE | given)
    return str(refusal.value)


def test_what_an_operator_should_set_is_taken() -> None:
    assert read_settings(WHOLE).env == "production"
    assert read_settings({"LOKET_TRUSTED_PROXIES": "10.0.0.5/32, fd00::/8", "LOKET_SCRUB_HOURS": "22-4"}).is_demo


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings({"LOKET_ENV": "production"})
    assert all(f"LOKET_{name.upper()} is not set" in str(refusal.value) for name in NEEDED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOKET_ENV", "prod"),
        ("LOKET_LOG_LEVEL", "verbose"),
        ("LOKET_PORT", "eighty"),
        ("LOKET_PORT", "80000"),
        ("LOKET_METRICS_PORT", "-1"),
        ("LOKET_DB_POOL", "0"),
        ("LOKET_TRACE_RATIO", "2"),
        ("LOKET_DELETION_WAIT_H", "-1"),
        ("LOKET_DATABASE_URL", "mysql://loket:hush@db.internal/loket"),
        ("LOKET_MIGRATION_DATABASE_URL", "db.internal/loket?password=hush"),
        ("LOKET_VALKEY_URL", "http://valkey.internal:hush"),
        ("LOKET_OTLP_URL", "collector:4318"),
        ("LOKET_TRUSTED_PROXIES", "10.0.0.5/32,proxy.internal"),
        ("LOKET_SCRUB_HOURS", "1"),
        ("LOKET_SCRUB_HOURS", "night"),
        ("LOKET_LIMITS", "load"),
        ("LOKET_PUBLIC_URL", "http://loket.kota.example"),
        ("LOKET_PUBLIC_URL", "https://loket.kota.example/"),
        ("LOKET_PUBLIC_URL", "https://"),
    ],
)
def test_what_cannot_be_used_is_named_without_its_secrets(name: str, value: str) -> None:
    told = refused({name: value})
    assert name in told
    assert "hush" not in told
    assert "$" not in told, "the variable is named, not a field of ours"


def test_a_word_that_is_none_of_those_is_told_which_there_are() -> None:
    assert "LOKET_ENV: must be one of these: demo, production" in refused({"LOKET_ENV": "prod"})


@pytest.mark.parametrize(
    ("hours", "quiet"), [("1-4", {1, 2, 3}), ("22-4", {22, 23, 0, 1, 2, 3}), ("0-24", set(range(24)))]
)
def test_hours_of_the_night_may_span_midnight(hours: str, quiet: set[int]) -> None:
    settings = Settings(env="production", scrub_hours=hours)
    zone = zoneinfo.ZoneInfo("UTC")
    assert {hour for hour in range(24) if is_quiet(settings, zone, datetime(2026, 11, 22, hour, tzinfo=UTC))} == quiet
