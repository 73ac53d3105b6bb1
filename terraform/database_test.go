package terraform

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/holdings/firestoreholdings"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
)

// The database has the indexes that the stores' queries need, and no field has another of its
// own. That the lists serve the queries is tested beside them.
func TestIndexes(t *testing.T) {
	want := map[string]bool{}
	for _, text := range [][]byte{firestorejobs.Indexes, firestoreholdings.Indexes} {
		var list struct {
			Indexes []struct {
				CollectionGroup, QueryScope string
				Fields                      []struct{ FieldPath, Order string }
			}
			FieldOverrides []struct {
				CollectionGroup, FieldPath string
				TTL                        bool
				Indexes                    []struct{ ArrayConfig, QueryScope string }
			}
		}
		if err := json.Unmarshal(text, &list); err != nil {
			t.Fatal(err)
		}
		for _, i := range list.Indexes {
			line := i.CollectionGroup + " " + i.QueryScope
			for _, f := range i.Fields {
				line += fmt.Sprintf(" %s %s", f.FieldPath, f.Order)
			}
			want[line] = true
		}
		for _, f := range list.FieldOverrides {
			line := fmt.Sprintf("%s %s by itself:", f.CollectionGroup, f.FieldPath)
			for _, i := range f.Indexes {
				line += fmt.Sprintf(" %s %s", i.ArrayConfig, i.QueryScope)
			}
			want[fmt.Sprintf("%s, lives for a time: %t", line, f.TTL)] = true
		}
	}
	for name, e := range planned(t) {
		got := map[string]bool{}
		for _, r := range e.of("google_firestore_index") {
			line := r.text("collection") + " " + r.text("query_scope")
			fields, _ := r.value("fields").([]any)
			for _, f := range fields {
				field, _ := f.(map[string]any)
				line += fmt.Sprintf(" %v %v", field["field_path"], field["order"])
			}
			got[line] = true
		}
		for _, r := range e.of("google_firestore_field") {
			config, _ := r.value("index_config").([]any)
			own, _ := r.value("index_config", "indexes").([]any)
			ttl, _ := r.value("ttl_config").([]any)
			if len(config) == 1 {
				line := fmt.Sprintf("%s %s by itself:", r.text("collection"), r.text("field"))
				for _, i := range own {
					index, _ := i.(map[string]any)
					line += fmt.Sprintf(" %v %v", index["array_config"], index["query_scope"])
				}
				got[fmt.Sprintf("%s, lives for a time: %t", line, len(ttl) == 1)] = true
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: the database has\n%s\nwant\n%s", name, lines(got), lines(want))
		}
		for _, kind := range []string{"google_firestore_index", "google_firestore_field"} {
			for _, r := range e.of(kind) {
				if r.text("database") != e.of("google_firestore_database")[0].text("name") {
					t.Errorf("%s: %s is in another database", name, r.Address)
				}
			}
		}
	}
}

func lines(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), "\n") }

// A queue's dead letters go to its own topic, whose own subscription keeps them.
func TestDeadLetters(t *testing.T) {
	e := applied(t)
	for _, queue := range []string{"interactive", "bulk", "batch"} {
		topic := e.one(t, "google_pubsub_topic", queue).text("id")
		dead := e.one(t, "google_pubsub_topic", queue+"-dead").text("id")
		push := e.one(t, "google_pubsub_subscription", queue)
		if push.text("topic") != topic || push.text("dead_letter_policy", "dead_letter_topic") != dead {
			t.Errorf("%s: the subscription is of %s, and its dead letters go to %s", queue, push.text("topic"), push.text("dead_letter_policy", "dead_letter_topic"))
		}
		if kept := e.one(t, "google_pubsub_subscription", queue+"-dead").text("topic"); kept != dead {
			t.Errorf("%s: the subscription of its dead letters is of %s", queue, kept)
		}
	}
}
