package settings

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

func TestReadNamesEverythingThatIsWrong(t *testing.T) {
	type target struct {
		Place string        `env:"PLACE" needs:"one,two" doc:"a place"`
		Time  time.Duration `env:"TIME, default=3s" doc:"a time"`
		Size  int           `env:"SIZE" needs:"two" doc:"a size"`
		Names []string      `env:"NAMES" needs:"one" doc:"names"`
	}
	var s target
	err := Read(t.Context(), &s, "one", envconfig.MapLookuper(map[string]string{"TIME": "soon", "SIZE": "large"}))
	if !errors.Is(err, fault.Usage) {
		t.Fatalf("%v, want %s", err, fault.Usage)
	}
	for _, want := range []string{"PLACE is not set: want a place", "TIME (a time) cannot be read", "SIZE (a size) cannot be read", "NAMES is not set: want names"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if err := Read(t.Context(), &s, "one", envconfig.MapLookuper(map[string]string{"PLACE": "here", "NAMES": "a,b"})); err != nil {
		t.Fatal(err)
	}
	if s.Place != "here" || s.Time != 3*time.Second || strings.Join(s.Names, " ") != "a b" {
		t.Errorf("read %+v", s)
	}
}

func TestPublicURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://soda.example.org": "https://soda.example.org", "https://soda.example.org/": "https://soda.example.org",
		"http://127.0.0.1:8080/cutouts/": "http://127.0.0.1:8080/cutouts",
		"":                               "", "soda.example.org": "", "ftp://soda.example.org": "", "https://u@soda.example.org": "", "https://soda.example.org/?a": "",
		"https://soda.example.org/#a": "", "https://soda.example.org/a/../b": "", "https://soda.example.org/{a}": "", "https://%zz": "",
	} {
		u, err := PublicURL(raw)
		if want == "" && !errors.Is(err, fault.Usage) || want != "" && (err != nil || u.String() != want) {
			t.Errorf("%q: %v, %v; want %q", raw, u, err, want)
		}
	}
}
