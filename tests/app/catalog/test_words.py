"""Words made comparable."""

from app.catalog.words import MOST_WORDS, also_called, question, synonyms, words_of


def test_one_spelling_without_accents_and_punctuation() -> None:
    assert words_of("Surat IJIN Praktek, café-é!") == ["surat", "izin", "praktik", "cafe", "e"]


def test_fillers_are_left_out_unless_nothing_else_is_there() -> None:
    assert question("cara bikin KTP").words == ["ktp"]
    assert question("cara bikin").words == ["cara", "bikin"]


def test_the_whole_question_is_kept_with_and_without_fillers() -> None:
    assert question("cara bikin KTP").phrases == ["cara bikin ktp", "ktp"]


def test_a_question_is_bounded() -> None:
    asked = question(" ".join(f"{'x' * 100}{number}" for number in range(100)))
    assert len(asked.words) <= MOST_WORDS
    assert max(map(len, asked.words)) <= 40


def test_a_group_is_found_by_any_of_its_names_as_whole_words() -> None:
    assert "kartu tanda penduduk" in also_called(["perekaman ktp baru"])
    assert also_called(["ktpx"]) == []


def test_the_file_of_synonyms_is_sound() -> None:
    found = synonyms()
    for group in found.groups.values():
        assert len(set(group)) == len(group) > 1
        assert all(name == name.lower().strip() for name in group)
    assert not set(found.spelling) & set(found.spelling.values()), "a spelling leads to another spelling"
