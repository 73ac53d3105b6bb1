package terraform

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each alert carries its runbook, and each runbook is of an alert, but those that say when
// people come to them; the README leads to each.
func TestRunbooks(t *testing.T) {
	files, err := filepath.Glob("runbooks/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no runbooks: %v", err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range planned(t) {
		carried := map[string]bool{}
		for _, alert := range e.of("google_monitoring_alert_policy") {
			carried[alert.text("documentation", "content")] = true
			if n := len(alert.value("conditions").([]any)); n != 1 || alert.text("documentation", "subject") == "" {
				t.Errorf("%s: %s has %d conditions, and the subject %q", name, alert.Address, n, alert.text("documentation", "subject"))
			}
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			byHand := strings.Contains(string(text), "**When.**")
			parts := []string{"**What it means.**", "**Look.**"}
			if byHand {
				parts = []string{"**When.**", "**Look.**", "**Mend.**"}
			}
			for _, part := range parts {
				if !strings.Contains(string(text), part) {
					t.Errorf("%s does not say %s", file, part)
				}
			}
			if len(text) > 8192 {
				t.Errorf("%s has %d bytes; an alert carries 8192", file, len(text))
			}
			if !strings.Contains(string(readme), "("+filepath.ToSlash(file)+")") {
				t.Errorf("README.md does not lead to %s", file)
			}
			if from := filepath.Base(file) == "unreachable.md"; !byHand && !carried[string(text)] && (!from || e.variables["public"] == true) {
				t.Errorf("%s: no alert carries %s", name, file)
			}
			delete(carried, string(text))
		}
		for text := range carried {
			t.Errorf("%s: an alert carries what is no runbook: %q", name, text)
		}
	}
}

// What is counted in the logs is what the functions write there, and what alerts and tiles
// ask for is counted.
func TestSignals(t *testing.T) {
	var source strings.Builder
	err := filepath.WalkDir("../pkg", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		source.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	message := regexp.MustCompile(`jsonPayload\.message[=:]"([^"]+)"`)
	for name, e := range planned(t) {
		metrics := map[string]bool{}
		for _, m := range e.of("google_logging_metric") {
			metrics[m.text("name")] = true
			for _, said := range message.FindAllStringSubmatch(m.text("filter"), -1) {
				if !strings.Contains(source.String(), `"`+said[1]) {
					t.Errorf("%s: %s counts lines that say %q, which no function writes", name, m.Address, said[1])
				}
			}
		}
		dashboard := e.of("google_monitoring_dashboard")[0].text("dashboard_json")
		var asked []string
		for _, alert := range e.of("google_monitoring_alert_policy") {
			for _, kind := range []string{"condition_threshold", "condition_absent"} {
				if filter := alert.text("conditions", kind, "filter"); filter != "" {
					asked = append(asked, filter)
				}
			}
			if !strings.Contains(dashboard, alert.text("display_name")) {
				t.Errorf("%s: the dashboard has no tile of %q", name, alert.text("display_name"))
			}
		}
		if len(asked) < 6 {
			t.Errorf("%s: the alerts ask for %d values; want 6 or more", name, len(asked))
		}
		for _, filter := range asked {
			if m := regexp.MustCompile(`logging\.googleapis\.com/user/(\w+)`).FindStringSubmatch(filter); m != nil && !metrics[m[1]] {
				t.Errorf("%s: nothing counts %s", name, m[1])
			}
		}
	}
}
