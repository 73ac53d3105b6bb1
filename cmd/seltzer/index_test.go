package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/demo"
)

func TestIndex(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	if err := demo.Write(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.fits"), []byte("<html>"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		out    string // begins so
		err    string // holds
	}{
		{"the first time", []string{"a", "--archive", "a=" + dir, "--archive", "b=" + dir}, 0, "3 read, 0 known, 0 gone, 1 broken, 0 failed",
			"broken: ivo://localhost/a?broken.fits: this is an XML or HTML document"},
		{"the second time, and another archive", []string{"--archive", "a=" + dir, "--archive", "b=" + dir}, 0, "3 read, 3 known, 0 gone, 2 broken, 0 failed", "ivo://localhost/b?broken.fits"},
		{"no such archive", []string{"c", "--archive", "a=" + dir}, exitUsage, "", `there is no archive "c"; --archive names a`},
		{"no such folder", []string{"--archive", "a=" + dir + "/none"}, exitFailed, "", "there is no folder"},
		{"a project without an authority", []string{"--archive", "a=" + dir, "--project", "p"}, exitUsage, "", "--authority"},
		{"nobody reads", []string{"--archive", "a=" + dir, "--parallel", "0"}, exitUsage, "", "--parallel 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, err bytes.Buffer
			status := run(append([]string{"index", "--data", data}, tt.args...), &streams{nil, &out, &err})
			if status != tt.status || !strings.HasPrefix(out.String(), tt.out) || !strings.Contains(err.String(), tt.err) {
				t.Errorf("status %d, %q, %q; want %d, %q, %q", status, out.String(), err.String(), tt.status, tt.out, tt.err)
			}
		})
	}
}
