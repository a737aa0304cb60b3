"""What notebooks show of a report."""

from html.parser import HTMLParser

from conftest import MODELS

import rcompile


class Cells(HTMLParser):
    """Collects the texts of a table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_key_figures_and_warnings(tmp_path):
    report = rcompile.compile_model(MODELS / "digits_lenet.onnx", output=tmp_path / "a<b")
    texts = Cells(report._repr_html_()).texts
    found = dict(zip(texts[::2], texts[1::2], strict=True))
    assert found["model"] == "digits_lenet on isaac, ideal cells"
    assert found["equal to integer arithmetic, bit for bit"] == "pass"
    assert found["crossbars"] == f"{report.totals.crossbars_used} of 16,128"
    assert found["warning"].startswith("activation ranges come from random inputs")
