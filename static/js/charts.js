// Draws the figures a page carries as JSON: <div data-chart="ID"></div> with {{ figure|json_script:"ID" }}.
// Colours come from the style sheet, so that a figure follows the light and dark theme.
"use strict";

(() => {
  const CONFIG = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };

  const themed = () => {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    const axis = { gridcolor: read("--chart-grid"), zerolinecolor: read("--chart-grid"), linecolor: read("--chart-grid") };
    return {
      font: { family: read("--bs-body-font-family") || "sans-serif", size: 12, color: read("--chart-text") },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { bgcolor: read("--bs-body-bg"), bordercolor: read("--chart-grid"), font: { color: read("--bs-body-color") } },
      xaxis: axis,
      yaxis: axis,
    };
  };

  const merge = (layout) => {
    const theme = themed();
    const merged = { ...theme, ...layout };
    merged.font = { ...theme.font, ...layout.font };
    for (const name of Object.keys(merged)) {
      if (/^[xy]axis\d*$/.test(name)) merged[name] = { ...theme.xaxis, ...layout[name] };
    }
    return merged;
  };

  const draw = (element) => {
    const source = document.getElementById(element.dataset.chart);
    // What is folded away has no width to be drawn to.
    if (!source || element.dataset.drawn || element.closest("details:not([open])")) return;
    element.dataset.drawn = "true";
    const figure = JSON.parse(source.textContent);
    Plotly.newPlot(element, figure.data, merge(figure.layout), CONFIG);
    markEmpty(element);
  };

  // An empty chart says so (`data-empty`) instead of showing made-up axes.
  const markEmpty = (element) => {
    element.classList.toggle("chart-empty", element.data.every((trace) => (trace.x ?? trace.dimensions).length === 0));
  };

  const drawAll = (root) => root.querySelectorAll("[data-chart]").forEach(draw);

  const recolour = () => {
    document.querySelectorAll("[data-drawn]").forEach((element) => {
      Plotly.react(element, element.data, merge(element.layout), CONFIG);
    });
  };

  // Appends {x, y, customdata} columns to the traces of a figure, found by the name kept in `meta`.
  const extend = (element, series) => {
    for (const [meta, columns] of Object.entries(series)) {
      const index = element.data.findIndex((trace) => trace.meta === meta);
      if (index < 0 || columns.x.length === 0) continue;
      const update = Object.fromEntries(Object.entries(columns).map(([key, values]) => [key, [values]]));
      Plotly.extendTraces(element, update, [index]);
    }
    markEmpty(element);
  };

  const addMissing = (element, traces) => {
    const known = new Set(element.data.map((trace) => trace.meta));
    const missing = traces.filter((trace) => !known.has(trace.meta));
    if (missing.length) Plotly.addTraces(element, missing);
    markEmpty(element);
  };

  window.recsmithCharts = { drawAll, extend, addMissing };
  document.addEventListener("DOMContentLoaded", () => drawAll(document));
  document.addEventListener("htmx:afterSwap", (event) => drawAll(event.target));
  document.addEventListener("toggle", (event) => { if (event.target.open) drawAll(event.target); }, true);
  document.addEventListener("recsmith:theme", recolour);
  // A chart in a fragment that goes takes its listeners with it; text nodes go too, and have no dataset.
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    if (event.target.dataset?.drawn) Plotly.purge(event.target);
  });
})();
