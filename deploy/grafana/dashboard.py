"""The Grafana dashboard as code: rows flow, latency, quality, faults, capacity. ``make dashboard`` writes its JSON.

Each panel says what it shows, in which unit, and, where there is one, at which value to worry and what to do then.
"""

from grafana.panels import ALL, EACH, RATE, ROWS, Panel
from grafana_foundation_sdk.builders import common as layout
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

RUNBOOK = "https://khabar.example.org/docs/runbook.md"
SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")


def panel(row: Panel) -> stat.Panel | table.Panel | timeseries.Panel:
    """A panel as Grafana's builder makes it."""
    made = {"lines": timeseries.Panel, "number": stat.Panel, "table": table.Panel}[row.kind]()
    made.title(row.title).description(row.about).unit(row.unit).datasource(SOURCE).span(row.span).height(
        4 if row.kind == "number" else 8
    ).min(0)
    for expression, legend in row.queries:
        query = prometheus.Dataquery().expr(expression).legend_format(legend).datasource(SOURCE)
        made.with_target(query.format(PromQueryFormat.TABLE).instant() if row.kind == "table" else query)
    if row.worry:
        first = "red" if "green" in row.worry.values() else "green"
        steps = [dashboard.Threshold(None, first), *(dashboard.Threshold(value, color) for value, color in row.worry.items())]
        made.thresholds(build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps))
        if isinstance(made, timeseries.Panel):
            made.thresholds_style(layout.GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED))
    if isinstance(made, timeseries.Panel) and row.stack:
        made.fill_opacity(30).stacking(layout.StackingConfig().mode(common.StackingMode.NORMAL))
    if row.alert:
        made.links(
            [build.DashboardLink(f"Runbook: {row.alert}").type(dashboard.DashboardLinkType.LINK).url(f"{RUNBOOK}#{row.alert.lower()}")]
        )
    return made


def variable(name: str, label: str, query: str) -> build.QueryVariable:
    """A choice of label values; all of them at first, and also where the label is missing."""
    made = build.QueryVariable(name).label(label).query(query).datasource(SOURCE)
    return made.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).multi(True).include_all(True).all_value(".*")  # noqa: FBT003 - the builder's way


def render() -> str:
    """The dashboard's JSON."""
    made = (
        build.Dashboard("Khabar")
        .uid("khabar")
        .tags(["khabar", "kafka"])
        .readonly()
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
    )
    made.description("News articles through the enrichment worker: flow, latency, quality, faults, capacity.")
    made.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    made.link(build.DashboardLink("Runbook").type(dashboard.DashboardLinkType.LINK).url(RUNBOOK).target_blank(True))  # noqa: FBT003
    made.with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    made.with_variable(variable("job", "Job", "label_values(khabar_build_info, job)"))
    made.with_variable(variable("namespace", "Namespace", 'label_values(khabar_build_info{job=~"$job"}, namespace)'))
    made.with_variable(variable("instance", "Worker", 'label_values(khabar_build_info{job=~"$job", namespace=~"$namespace"}, instance)'))
    for name, color, expression in (
        ("Worker started", "blue", f"changes(process_start_time_seconds{{{EACH}}}{RATE}) > 0"),
        (
            "New version",
            "purple",
            f"count by (version) (khabar_build_info{{{ALL}}}) unless count by (version) (khabar_build_info{{{ALL}}} offset 5m)",
        ),
    ):
        made.annotation(build.AnnotationQuery().name(name).datasource(SOURCE).enable(True).icon_color(color).expr(expression))  # noqa: FBT003
    for title, panels in ROWS.items():
        made.with_row(build.Row(title))
        for row in panels:
            made.with_panel(panel(row))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"
