"""Charts of the figures: several small ones, each of one matter."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Literal

from app.dashboards.figures.compared import refused_share, share
from app.dashboards.figures.periods import Grain, starts
from app.dashboards.figures.schemas import BacklogView, FiguresView, PeriodFigures
from app.dashboards.figures.sums import Totals
from app.pages.charts import Chart, Series
from app.surveys.results import SurveyResult
from app.texts import Language, text

CHOICES: Mapping[Grain, int] = {"month": 24, "week": 53}


class Pictures:
    """Draws in one language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def of(self, view: FiguresView) -> list[Chart]:
        """The small multiples of a series."""
        now, earlier = view.periods, view.year_before

        def both(name: str, take: Callable[[Totals], float | None], digits: int = 0, unit: str = "") -> Chart:
            shown = [(self._words("this_year"), now), (self._words("last_year"), earlier)]
            series = [Series(label, [take(period.totals) for period in periods]) for label, periods in shown]
            return self._chart(name, view, series, (digits, unit))

        days = [
            Series(self._words("median_days"), [period.totals.median_days for period in now]),
            Series(self._words("p90_days"), [period.totals.p90_days for period in now]),
        ]
        return [
            both("handed_in", lambda totals: totals.handed_in),
            self._chart("ended", view, self._outcomes(now), kind="stacked"),
            both("on_time", lambda totals: share(totals.on_time_share), 1, "%"),
            self._chart("days", view, days, (1, self._words("working_days"))),
            both("refused", refused_share, 1, "%"),
            both("rating", lambda totals: totals.rating, 2),
        ]

    def backlog(self, view: BacklogView) -> Chart:
        labels = [
            f"{band.from_days}+" if band.until_days is None else f"{band.from_days}\u2013{band.until_days}"
            for band in view.ages
        ]
        series = [
            Series(self._words("in_time"), [band.open - band.late for band in view.ages]),
            Series(self._words("late"), [band.late for band in view.ages]),
        ]
        title, heading = self._words("chart.backlog"), self._words("working_days")
        return Chart("stacked", title, heading, labels, series)

    def survey(self, result: SurveyResult) -> Chart:
        labels = [element.code for element in result.elements]
        series = [Series(self._words("average"), [element.average for element in result.elements])]
        return Chart("bar", self._words("chart.survey"), self._words("element"), labels, series, digits=3)

    def label(self, start: date, grain: Grain) -> str:
        """`Nov 25`, or the ISO week `M47`."""
        if grain == "week":
            return text("figures.week", self._language, {"week": start.isocalendar().week})
        return f"{text(f'pages.month.{start.month}', self._language)} {start:%y}"

    def choices(self, running: date, grain: Grain) -> list[tuple[str, str]]:
        """Periods to choose from, the running one first."""
        return [(one.isoformat(), self.label(one, grain)) for one in reversed(starts(running, grain, CHOICES[grain]))]

    def _outcomes(self, periods: Sequence[PeriodFigures]) -> list[Series]:
        names = ("completed", "rejected", "withdrawn", "expired")
        return [
            Series(
                text(f"status_of_case.{name}", self._language),
                [period.totals.outcomes.get(name, 0) for period in periods],
            )
            for name in names
        ]

    def _chart(
        self,
        name: str,
        view: FiguresView,
        series: Sequence[Series],
        shown: tuple[int, str] = (0, ""),
        kind: Literal["line", "stacked"] = "line",
    ) -> Chart:
        """`shown`: digits after the point, and the unit."""
        digits, unit = shown
        labels = [self.label(period.starts_on, view.grain) for period in view.periods]
        heading = self._words(f"grain.{view.grain}")
        return Chart(kind, self._words(f"chart.{name}"), heading, labels, series, unit, digits)

    def _words(self, key: str) -> str:
        return text(f"figures.{key}", self._language)
