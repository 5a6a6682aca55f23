"""Users' files as programs write them: encodings, separators, decimal commas, headers, names of columns and parts."""

import gzip
import io
import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from kerazoo.applications.finance import algorithmic_trading
from kerazoo.applications.healthcare import disease_diagnosis
from kerazoo.applications.text import sentiment, translation
from kerazoo.applications.timeseries import energy_forecasting, series_anomaly
from kerazoo.data import (
    conll_files,
    corpora,
    dialogues,
    document_files,
    labelled_text_files,
    parallel_files,
    squad_files,
)
from kerazoo.data.delimited import Dialect, read_cells, sniff
from kerazoo.data.detection_sets import from_path
from kerazoo.data.labelled_files import from_files as labelled_series
from kerazoo.data.labelled_files import read_ts
from kerazoo.data.mask_folders import from_mask_folder
from kerazoo.data.series import read_series
from kerazoo.data.tables import read_table
from kerazoo.data.text_files import decode_text, read_text

pandas = pytest.importorskip("pandas")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be")


def encoded(text, encoding):
    return b"\xfe\xff" * (encoding == "utf-16-be") + text.replace("\n", "\r\n").encode(encoding)


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(text, encoding))
    return path


# Encodings.


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_text_is_the_same_in_every_encoding(tmp_path, encoding):
    assert read_text(write(tmp_path / "a.txt", "größe\nja\n", encoding)) == "größe\nja\n"
    assert decode_text(b"a,b\r1,2\r", "mac.csv") == "a,b\n1,2\n"
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(encoded("größe\n", encoding)))
    assert read_text(tmp_path / "a.txt.gz") == "größe\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a\ngröße\n".encode("latin-1"), "a.txt, line 2, must be UTF-8. Received: byte 0xf6"),
        ("a\nb\n".encode("utf-16-le"), "a.txt, line 1, must be text: .*byte order mark. Received: a NUL character"),
        ("a\nb\n".encode("utf-16") + b"x", "a.txt, line 3, must be UTF-16. Received: byte 0x78"),
    ],
)
def test_another_encoding_is_named_with_its_line(data, message):
    with pytest.raises(ValueError, match=message) as error:
        decode_text(data, "a.txt")
    assert "\n" not in str(error.value)


def test_an_archive_that_fills_the_memory_is_refused(tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wb") as file:
        for _ in range(80):
            file.write(b"1" * 2**20)
    tracemalloc.start()
    with pytest.raises(ValueError, match="must unpack to 67,108,864 bytes at most"):
        read_series(tmp_path / "a.csv.gz")
    assert tracemalloc.get_traced_memory()[1] < 2**28
    tracemalloc.stop()
    (tmp_path / "a.csv.gz").write_bytes(b"t,x")
    with pytest.raises(ValueError, match="must be a gzip archive"):
        read_series(tmp_path / "a.csv.gz")


def boxes(folder, encoding):
    for number in range(4):
        (folder / "images").mkdir(exist_ok=True)
        Image.fromarray(np.zeros((40, 60, 3), "uint8")).save(folder / "images" / f"{number}.png")
        write(folder / "labels" / f"{number}.txt", "1 .5 .5 .3 .3\n", encoding)
    write(folder / "classes.txt", "Käfer\ndog\n", encoding)
    return from_path(folder).classes


def coco(folder, encoding):
    for number in range(3):
        Image.fromarray(np.zeros((40, 60, 3), "uint8")).save(folder / f"{number}.png")
    content = {
        "images": [{"id": i, "file_name": f"{i}.png"} for i in range(3)],
        "categories": [{"id": 1, "name": "Käfer"}],
        "annotations": [{"id": i, "image_id": i, "category_id": 1, "bbox": [5, 5, 9, 9]} for i in range(3)],
    }
    write(folder / "a.json", json.dumps(content, ensure_ascii=False), encoding)
    return from_path(folder).classes


def masks(folder, encoding):
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for number in range(4):
        Image.fromarray(np.zeros((32, 32, 3), "uint8")).save(folder / "images" / f"{number}.png")
        mask = np.zeros((32, 32), "uint8")
        mask[:9] = 1
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    write(folder / "classes.txt", "Grund\nKäfer\n", encoding)
    return from_mask_folder(folder).classes


def series(folder, encoding):
    found = read_series(write(folder / "a.csv", "Käfer,when\n1,2024-01-01\n2,2024-01-02\n", encoding))
    return found.columns, found.values.tolist()


def table(folder, encoding):
    found = read_table(write(folder / "a.csv", "Käfer,ill\n1,ja\n2,nö\n", encoding), target="ill")
    return list(found.numeric), found.classes


def texts(folder, encoding):
    rows = labelled_text_files.read_rows(write(folder / "a.csv", "text,label\nKäfer,gut\nno,bad\n", encoding))
    lines = '{"text": "Käfer", "label": "gut"}\n'
    return [row[1:] for row in rows + labelled_text_files.read_rows(write(folder / "a.jsonl", lines, encoding))]


def translations(folder, encoding):
    for language, word in (("en", "beetle"), ("de", "Käfer")):
        write(folder / f"train.{language}", f"{word}\n" * 100, encoding)
    return set(parallel_files.from_files(folder, source="en", target="de").train.target)


def entities(folder, encoding):
    return conll_files.from_files(write(folder / "a.conll", "Käfer B-X\nrennt O\n\n" * 40, encoding)).train.words[0]


def questions(folder, encoding):
    asked = [{"id": str(i), "question": "Wer?", "answers": [{"text": "Käfer", "answer_start": 4}]} for i in range(1)]
    data = [{"title": str(i), "paragraphs": [{"context": "Der Käfer.", "qas": asked}]} for i in range(1)]
    text = read_text(write(folder / "a.json", json.dumps({"data": data}, ensure_ascii=False), encoding))
    return squad_files.read_squad(text).answers


def talk(folder, encoding):
    lines = "\n".join(json.dumps([f"Hallo {i}.", "Käfer!"], ensure_ascii=False) for i in range(30))
    return dialogues.from_jsonl(write(folder / "a.jsonl", lines, encoding)).train.target[0]


def documents(folder, encoding):
    write(folder / "a.txt", "Käfer\nText.", encoding)
    return document_files.from_files(folder).titles


def corpus(folder, encoding):
    return corpora.corpus_of(write(folder / "a.txt", "Käfer\n" * 300, encoding)).train[:12]


def classes_of_series(folder, encoding):
    found = labelled_series(write(folder / "a.csv", "Käfer,1,2\ndog,2,1\n" * 8, encoding))
    header = "@classLabel true Käfer dog\n@data\n1,2:Käfer\n2,1:dog\n"
    return found.classes, read_ts(write(folder / "a.ts", header, encoding)).classes


READERS = (
    *(boxes, coco, masks, series, table, texts, translations, entities, questions, talk, documents, corpus),
    classes_of_series,
)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_reader_takes_every_encoding_and_names_files_of_others(tmp_path, reader):
    found = {}
    for encoding in ENCODINGS:
        (tmp_path / encoding).mkdir()
        found[encoding] = reader(tmp_path / encoding, encoding)
    assert "K\u00e4fer" in str(found["utf-8"]) and all(other == found["utf-8"] for other in found.values())
    (tmp_path / "latin-1").mkdir()
    with pytest.raises(ValueError, match=r"a\.|classes|train\.") as error:
        reader(tmp_path / "latin-1", "latin-1")
    assert "must be UTF-8. Received: byte 0xe4" in str(error.value) and "\n" not in str(error.value)


# Separators, decimal signs, header rows.


@pytest.mark.parametrize(
    ("text", "dialect", "cells"),
    [
        ("d;x\n2024-01-01;1,5\n2024-01-02;2,5\n", "separator ';', decimal ',', header row", ["2024-01-01", "1.5"]),
        ("2024-01-01;1,5\n2024-01-02;2,5\n", "separator ';', decimal ',', no header row", ["2024-01-01", "1.5"]),
        ("d\tx\na\t1,5\nb\t1.234,5\n", "separator tab, decimal ',', header row", ["a", "1.5"]),
        ("d|x\na|1.5\nb|2\n", "separator '|', decimal '.', header row", ["a", "1.5"]),
        ('a,b\n"1,5",2\n"3,25",4\n', "separator ',', decimal ',', header row", ["1.5", "2"]),
        ('a,b\n"1,234.5",2\n"3,456",4\n', "separator ',', decimal '.', header row", ["1234.5", "2"]),
        ("sep=;\na;b\n1;2\n", "separator ';', decimal '.', header row", ["1", "2"]),
        ("'a';'b;c'\n'1';'2'\n", "separator ';', decimal '.', header row, quote '", ["1", "2"]),
        ("date,2019,2020\n2021-01-01,1,2\n", "separator ',', decimal '.', header row", ["2021-01-01", "1", "2"]),
        ("5.1,3.5,iris\n4.9,3,iris\n", "separator ',', decimal '.', no header row", ["5.1", "3.5", "iris"]),
        ("a;b\n" + "1;2\n" * 400 + "1,5;2\n", "separator ';', decimal ',', header row", ["1", "2"]),
        ('note;x\n"a, b";1\n"c, d, e";2\n', "separator ';', decimal '.', header row", ["a, b", "1"]),
    ],
)
def test_a_table_is_recognised_and_said(text, dialect, cells):
    frame, said = read_cells(io.StringIO(text))
    assert said == f"Read as: {dialect}." and frame.iloc[0].tolist() == cells


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ('a,b\n"1,234",2\n"3,456",4\n', {}, r"line 2, column 'a': the decimal sign must be known.*--decimal"),
        ("a;b\n1,5;1.234\n2,5;2.345\n", {}, "line 2, column 'b': the decimal sign must be known"),
        ("a;b\n1,5;2\n2,5;2.5\n", {}, "line 2, column 'a': the decimal sign must be known"),
        ("a,b\n1,2\n3,4,5\n", {}, "no CSV table .* Expected 2 fields in line 3, saw 3"),
        ("a,b\n1,2,3\n4,5,6\n", {}, "must have 2 cells, as the first; some have more|no CSV table"),
        ('a,b\n"1,2\n', {}, "no CSV table"),
        (",".join("a" * 20_000) + "\n1\n", {}, "at most 16,384 columns. Received: 20,000"),
        (",".join("a" * 16_000) + "\n" + "1\n" * 100_000, {}, "as many cells in each row as in the first"),
    ],
)
def test_tables_that_are_none_are_refused_in_one_line(text, options, message):
    with pytest.raises(ValueError, match=message) as error:
        read_cells(io.StringIO(text), Dialect(**options))
    assert "\n" not in str(error.value)


def test_what_is_recognised_can_be_chosen():
    text = "a;b\n1,5;1.234\n2,5;2.345\n"
    assert read_cells(io.StringIO(text), Dialect(decimal="comma"))[0].iloc[0].tolist() == ["1.5", "1234"]
    assert list(read_cells(io.StringIO("a;b\n1;2\n"), Dialect(separator="comma"))[0].columns) == ["a;b"]
    assert sniff("1,2\n3,4\n", Dialect(header=True)).header and not sniff("a,b\nc,d\n", Dialect(header=False)).header
    with pytest.raises(ValueError, match="`separator` must be one of"):
        Dialect(separator=":")
    with pytest.raises(ValueError, match="`decimal` must be one of"):
        Dialect(decimal=";")


def test_series_without_a_header_without_stamps_and_with_decimal_commas():
    german = read_series(io.StringIO("Zeit;Last\n01.03.2021 00:00;1,5\n13.03.2021 00:00;2,5\n"))
    assert german.columns == ("Last",) and german.values[:, 0].tolist() == [1.5, 2.5] and german.step == 12 * 86_400
    bare = read_series(io.StringIO("2024-01-01,1\n2024-01-02,2\n"))
    assert bare.columns == ("column 2",) and len(bare) == 2
    with pytest.raises(ValueError, match="line 2, column 'column 2': every cell must be a number"):
        read_series(io.StringIO("2024-01-01,1\n2024-01-02,x\n"))
    counted = read_series(io.StringIO("5,1\n6,2\n7,4\n"), grid="rows")
    assert (
        counted.record()["last"] == "row 3"
        and not counted.dated
        and counted.values.tolist() == [[5, 1], [6, 2], [7, 4]]
    )
    assert "There is no column of stamps: every row counts as one step, in the order of the file." in counted.notes
    with pytest.raises(ValueError, match='no column of stamps: name one.*grid="rows"'):
        read_series(io.StringIO("5,1\n6,2\n7,4\n"))
    with pytest.raises(ValueError, match="no column of stamps"):
        read_series(io.StringIO("month,x\nJänner,2\nFeber,4\n"), grid="rows")


def test_row_numbers_and_trailing_separators_are_no_columns():
    rows = "\n".join(f"{row},2024-01-0{row + 1},{row}.5," for row in range(5))
    series = read_series(io.StringIO(f",day,load,\n{rows}\n"))
    assert series.columns == ("load",) and series.values[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert "counts the rows and is left out. Columns without a name and a value are left out: 1." in series.notes[0]


def test_cells_of_spreadsheets_without_a_value_are_empty_and_words_among_numbers_are_said(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b,kind\n1,1,p\nN/A,2,n\n#N/A,3,n\n4,4,p\n5,many,n\n")
    table = read_table(tmp_path / "rows.csv", target="kind")
    assert list(table.numeric) == ["a"] and np.isnan(table.numeric["a"]).tolist() == [False, True, True, False, False]
    assert "'b' is read as words: 1 cells are no number, 'many'." in table.notes


def test_unix_time_is_found_as_the_column_of_stamps():
    text = "ts,x\n" + "".join(f"{1_609_459_200_000 + i * 3_600_000},{i}\n" for i in range(4))
    assert str(read_series(io.StringIO(text)).stamps[3]) == "2021-01-01T03:00:00"


def test_a_data_frame_saved_with_its_dates_as_index_keeps_them(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"x": [1.0, 2.0]}, index=pandas.date_range("2024-01-01", periods=2))
    frame.to_parquet(tmp_path / "a.parquet")
    assert str(read_series(tmp_path / "a.parquet").stamps[1]) == "2024-01-02T00:00:00"


def test_parquet_is_read_as_its_csv_is(tmp_path):
    pytest.importorskip("pyarrow")
    days = pandas.date_range("2024-01-01", periods=6)
    frame = pandas.DataFrame(
        {
            "when": days,
            "day": days.date,
            "kind": pandas.Categorical(["a", "b", "a", "b", "a", "b"]),
            "shop": ["x", "y", None, "x", "y", "x"],
            "amount": [1.5, None, 3, 4, 5, 6],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False)
    for time in ("when", "day"):
        one, two = (read_table(tmp_path / f"a{end}", target="kind", time=time) for end in (".parquet", ".csv"))
        assert one.classes == two.classes == ("a", "b") and np.array_equal(one.time, two.time)
        assert one.categories["shop"].tolist() == two.categories["shop"].tolist() == ["x", "y", "", "x", "y", "x"]
        np.testing.assert_array_equal(one.numeric["amount"], two.numeric["amount"])


def test_hostile_parquet_is_refused(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "a.parquet"
    file.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(ValueError, match="no Parquet table"):
        read_table(file, target="y")
    column = pyarrow.array(np.zeros(30_000_000, "int8"))
    parquet.write_table(pyarrow.table({"x": column, "y": column}), file, compression="zstd")
    with pytest.raises(ValueError, match="hold as much as a file of .* bytes can. Received: 60,000,000 cells"):
        read_table(file, target="y")
    long = pyarrow.DictionaryArray.from_arrays(np.zeros(100_000, "int32"), pyarrow.array(["x" * 2**20]))
    parquet.write_table(pyarrow.table({"x": long}), file)
    with pytest.raises(ValueError, match="must hold texts of 67,108,864 bytes at most.*104,857,600,000 in 'x'"):
        read_table(file, target="x")
    parquet.write_table(pyarrow.table({"x": [[1], [2]], "y": ["a", "b"]}), file)
    with pytest.raises(ValueError, match="one value in a cell. Received: lists in \\['x'\\]"):
        read_table(file, target="y")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("@dimensions x\n", "@dimensions must be a whole number above 0"),
        ("@seriesLength 999999999\n", "must have series of 999,999,999 steps in 1 channels. Received: 2 values"),
        ("@dimensions 999999999\n", "in 999,999,999 channels"),
        (f"@seriesLength {'9' * 5000}\n", "must be a whole number"),
    ],
)
def test_what_a_header_claims_takes_no_memory(tmp_path, header, message):
    with pytest.raises(ValueError, match=message):
        read_ts(write(tmp_path / "a.ts", header + "@classLabel true a b\n@data\n1:a\n2:b\n"))


def test_rows_of_series_with_semicolons_and_decimal_commas(tmp_path):
    file = write(tmp_path / "a.csv", "".join(f"{'ab'[i % 2]};{i},5;{i + 1},25\n" for i in range(20)))
    data = labelled_series(file)
    assert data.train.classes == ("a", "b") and data.train.values[0, 1, 0] % 1 == 0.25
    assert data.record()["notes"] == ["a.csv, read as: separator ';', decimal ',', no header row."]


# Columns of texts.


def rows(path, content, **options):
    notes = []
    found = labelled_text_files.read_rows(write(path, content), notes=notes, **options)
    return [row[1:] for row in found], notes


def test_the_header_of_two_columns_with_other_names_is_no_row(tmp_path):
    text = "review,stars\n" + "".join(f"text number {i},{i % 2}\n" for i in range(6))
    found, notes = rows(tmp_path / "a.csv", text)
    assert len(found) == 6 and {label for _, label in found} == {"0", "1"}
    assert notes == ["a.csv, read as: separator ',', header row: 'review' and 'stars'."]
    words = "utterance\tintent\n" + "".join(f"text number {i}\t{'ab'[i % 2]}\n" for i in range(12))
    assert len(rows(tmp_path / "a.tsv", words)[0]) == 12
    swapped = "".join(f"{('ham', 'spam')[i % 2]}\tthis is message number {i}\n" for i in range(12))
    assert rows(tmp_path / "sms.txt", swapped)[0][0] == ("this is message number 0", "ham")
    headless = "".join(f"text number {i},{'ab'[i % 2]}\n" for i in range(6))
    assert len(rows(tmp_path / "b.csv", headless)[0]) == 6
    assert len(rows(tmp_path / "b.csv", headless, dialect=Dialect(header=True))[0]) == 5
    assert len(rows(tmp_path / "a.csv", text, dialect=Dialect(header=False))[0]) == 7


def test_named_columns_must_be_there(tmp_path):
    text = "review,stars\nfine film,5\nbad film,1\n"
    with pytest.raises(
        ValueError, match=r"must have the column 'words' \(--text-column\). Received: \['review', 'stars'"
    ):
        rows(tmp_path / "a.csv", text, text="words")
    with pytest.raises(ValueError, match=r"must have the column 'class' \(--label-column\)"):
        rows(tmp_path / "a.csv", text, text="review", label="class")
    assert rows(tmp_path / "a.csv", text, text="review")[0] == [("fine film", "5"), ("bad film", "1")]
    assert rows(tmp_path / "a.csv", text, label="review")[0][0] == ("5", "fine film")
    assert rows(tmp_path / "a.csv", "Label,Text\na,one\nb,two\n")[0] == [("one", "a"), ("two", "b")]
    with pytest.raises(ValueError, match="must have the column 'head'"):
        document_files.from_files(write(tmp_path / "b.csv", "title,text\na,b\n"), title="head")


def test_what_looks_like_text_and_label_is_said_with_the_options(tmp_path):
    text = "id,review,stars\n" + "".join(f"{i},a longer text number {i},{i % 3}\n" for i in range(9))
    with pytest.raises(
        ValueError, match="'review' looks like the text, 'stars' like the label.*--text-column.*--label-c"
    ):
        rows(tmp_path / "a.csv", text)
    assert len(rows(tmp_path / "a.csv", text, text="review", label="stars")[0]) == 9
    headless = text.partition("\n")[2]
    with pytest.raises(ValueError, match="without a header row, .*'column 2' looks like the text, 'column 3' like"):
        rows(tmp_path / "a.csv", headless)
    assert len(rows(tmp_path / "a.csv", headless, text="column 2", label="column 3")[0]) == 9
    with pytest.raises(ValueError, match="an object with 'text' and 'label'.*It has the keys"):
        rows(tmp_path / "a.jsonl", '{"words": "a", "kind": "b"}\n')
    listed = json.dumps([{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])
    assert rows(tmp_path / "a.json", listed)[0] == [("a", "x"), ("b", "y")]


def test_semicolons_between_texts(tmp_path):
    text = "text;label\n" + "".join(f"well, number {i};{'ab'[i % 2]}\n" for i in range(4))
    assert rows(tmp_path / "a.csv", text)[0][0] == ("well, number 0", "a")


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "dev", "test2016"),
        ("training", "valid", "newstest2014"),
        ("multi30k.train", "validation", "test_2016_flickr"),
        ("train", "val", "testing"),
    ],
)
def test_folders_of_translations_with_other_names_of_parts(tmp_path, train, validation, test):
    for part, count in ((train, 40), (validation, 5), (test, 6)):
        for language in ("en", "de"):
            write(tmp_path / f"{part}.{language}", "".join(f"{part} {i}\n" for i in range(count)))
    data = parallel_files.from_files(tmp_path, source="en", target="de")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [40, 5, 6]
    write(tmp_path / f"{test}_2.en", "x\n")
    write(tmp_path / f"{test}_2.de", "x\n")
    data = parallel_files.from_files(tmp_path, source="en", target="de")
    assert len(data.test) == 6 and f"{test}_2.en: left out, for {test}.en is the test part." in data.notes


def test_a_folder_with_one_pair_of_files_and_a_table_of_two_languages(tmp_path):
    for language in ("en", "de"):
        write(tmp_path / "a" / f"corpus.{language}", "".join(f"row {i}\n" for i in range(60)))
    assert len(parallel_files.from_files(tmp_path / "a", source="en", target="de").train) == 54
    text = "German,English\n" + "".join(f"eins {i},one {i}\n" for i in range(60))
    file = write(tmp_path / "b.csv", text)
    with pytest.raises(ValueError, match=r"must name the columns 'en' and 'de'.*\(--source\) and \(--target\)"):
        parallel_files.from_files(file, source="en", target="de")
    assert parallel_files.from_files(file, source="English", target="German").train.source[0].startswith("one")


# The command line.


def test_options_of_reading_reach_every_reader(tmp_path):
    hours = pandas.date_range("2021-03-01", periods=24, freq="h").strftime("%d/%m/%Y %H:%M")
    file = write(tmp_path / "load.csv", "when;load\n" + "".join(f"{hour};{i},5\n" for i, hour in enumerate(hours)))
    for application in (energy_forecasting, series_anomaly):
        words = [
            "--data",
            str(file),
            "--date-format",
            "day-first",
            "--separator",
            ";",
            "--decimal",
            ",",
            "--header",
            "yes",
        ]
        arguments = application.settle(application.parse_args(words))
        assert (arguments.separator, arguments.decimal) == ("semicolon", "comma")
        arguments = application.parse_args(["--data", str(file)])
        with pytest.raises(ValueError, match="--date-format"):
            application.load(application.settle(arguments))
    with pytest.raises(ValueError, match="`--date-format` goes with `--data`"):
        energy_forecasting.settle(energy_forecasting.parse_args(["--date-format", "day-first"]))
    with pytest.raises(ValueError, match=r"`date_format` \(--date-format\) must be one of"):
        algorithmic_trading.settle(algorithmic_trading.parse_args(["--data", "x.csv", "--date-format", "dmy"]))
    with pytest.raises(SystemExit):
        disease_diagnosis.parse_args(["--data", "x.csv", "--target", "y", "--separator", ":"])
    text = "Bewertung;Sterne\n" + "".join(f"text {i};{i % 2}\n" for i in range(12))
    arguments = sentiment.parse_args(["--data", str(write(tmp_path / "a.csv", text)), "--text-column", "review"])
    with pytest.raises(ValueError, match="must have the column 'review'"):
        sentiment.load(sentiment.settle(arguments))
    assert translation.parse_args(["--header", "no"]).header == "no"


def test_rows_that_are_only_counted_have_no_calendar(tmp_path, capsys):
    file = write(tmp_path / "a.csv", "".join(f"{i},{i % 7}\n" for i in range(200)))
    words = ["--data", str(file), "--grid", "rows", "--lookback", "10", "--horizon", "2"]
    parts, season = energy_forecasting.load(energy_forecasting.settle(energy_forecasting.parse_args(words)))
    assert season == 1 and len(parts.series) == 200
    assert "Read as: separator ',', decimal '.', no header row." in capsys.readouterr().out
    words += ["--calendar", "--model", "tft"]
    with pytest.raises(ValueError, match="`--calendar` needs a column of stamps"):
        energy_forecasting.load(energy_forecasting.settle(energy_forecasting.parse_args(words)))
