// Appended where a page holds a part of the predictions, with more of the errors: a mean over its rows is no score.
const updateWhole = update;
update = (page) => {
  updateWhole(page);
  const count = document.getElementById("count");
  count.textContent = count.textContent.replace(/( · exact [\d.]+ · f1 [\d.]+)?( · at .*)?$/, " in this page$2");
};
document.getElementById("answered").hidden = true;
update(rows.page);
