// Package terraform holds the tests of what Terraform plans and applies. scripts/check-terraform
// makes the plans and runs them.
package terraform

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the diagram of accounts and rights in README.md")

// resource is one that is planned, or applied.
type resource struct {
	Address string
	Type    string
	Name    string
	Index   any
	Values  map[string]any
}

// module is a module's resources as Terraform shows them. Source: "JSON output format",
// https://developer.hashicorp.com/terraform/internals/json-format.
type module struct {
	Resources    []resource
	ChildModules []module `json:"child_modules"`
}

func (m module) all() []resource {
	all := m.Resources
	for _, child := range m.ChildModules {
		all = append(all, child.all()...)
	}
	return all
}

// environment is what is planned for one environment, or applied.
type environment struct {
	resources []resource
	variables map[string]any
}

// folder returns the folder of the plans and of the state: the variable SELTZER_TERRAFORM.
func folder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SELTZER_TERRAFORM")
	if dir == "" {
		t.Skip("SELTZER_TERRAFORM names no folder of plans: scripts/check-terraform makes them, and runs this test")
	}
	return dir
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder(t), name))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// planned returns the plans by the names of their environments.
func planned(t *testing.T) map[string]environment {
	t.Helper()
	dir := folder(t)
	files, err := filepath.Glob("env/*.tfvars")
	if err != nil || len(files) < 3 {
		t.Fatalf("env holds %v, %v; want dev, stage and prod", files, err)
	}
	all := map[string]environment{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".tfvars")
		if _, err := os.Stat(filepath.Join(dir, name+".plan.json")); err != nil {
			t.Fatalf("%s has no plan: %v", file, err)
		}
		var plan struct {
			Errored       bool
			PlannedValues struct {
				RootModule module `json:"root_module"`
			} `json:"planned_values"`
			Variables map[string]struct{ Value any }
		}
		readJSON(t, name+".plan.json", &plan)
		e := environment{resources: plan.PlannedValues.RootModule.all(), variables: map[string]any{}}
		for variable, v := range plan.Variables {
			e.variables[variable] = v.Value
		}
		if plan.Errored || len(e.resources) < 60 {
			t.Fatalf("%s plans %d resources (errors: %t); want 60 or more", file, len(e.resources), plan.Errored)
		}
		all[name] = e
	}
	return all
}

// applied returns the state of the environment that was applied.
func applied(t *testing.T) environment {
	t.Helper()
	var state struct {
		Values struct {
			RootModule module `json:"root_module"`
		}
	}
	readJSON(t, "state.json", &state)
	return environment{resources: state.Values.RootModule.all()}
}

// of returns the resources of a type.
func (e environment) of(kind string) []resource {
	return slices.DeleteFunc(slices.Clone(e.resources), func(r resource) bool { return r.Type != kind })
}

// one returns the resource of a type whose attribute name is so.
func (e environment) one(t *testing.T, kind, name string) resource {
	t.Helper()
	for _, r := range e.of(kind) {
		if r.Values["name"] == name {
			return r
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return resource{}
}

// text returns an attribute of a resource, by its path through blocks, "" if it is not known.
func (r resource) text(path ...string) string {
	s, _ := r.value(path...).(string)
	return s
}

func (r resource) number(path ...string) float64 {
	n, _ := r.value(path...).(float64)
	return n
}

func (r resource) value(path ...string) any {
	var v any = r.Values
	for _, step := range path {
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		m, _ := v.(map[string]any)
		v = m[step]
	}
	return v
}

// variables returns the environment of a function.
func (r resource) variables() map[string]string {
	set := map[string]string{}
	values, _ := r.value("service_config", "environment_variables").(map[string]any)
	for name, value := range values {
		set[name], _ = value.(string)
	}
	return set
}

// functions returns the functions by their names.
func (e environment) functions() map[string]resource {
	all := map[string]resource{}
	for _, f := range e.of("google_cloudfunctions2_function") {
		all[f.text("name")] = f
	}
	return all
}

// A new package of signer is a new object and updates the function that uses it; the object
// of the old one goes.
func TestNewPackage(t *testing.T) {
	var plan struct {
		Changes []struct {
			Address string
			Change  struct{ Actions []string }
		} `json:"resource_changes"`
	}
	readJSON(t, "repackaged.plan.json", &plan)
	got := map[string]string{}
	for _, c := range plan.Changes {
		if what := strings.Join(c.Change.Actions, " "); what != "no-op" {
			kind, _, _ := strings.Cut(c.Address, "/") // without the package's hash
			got[what+" "+kind] = c.Address
		}
	}
	const object = `google_storage_bucket_object.package["signer`
	if len(got) != 3 || got["create "+object] == "" || got["delete "+object] == "" || got["update module.signer.google_cloudfunctions2_function.this"] == "" {
		t.Errorf("a new package of signer changes %v; want another object of it and its function updated", slices.Sorted(maps.Keys(got)))
	}
}
