// Package outside finds what tests need from outside of the project: real images, the
// standards' schemas, and other programs to be judged by.
//
// What is missing skips the test, in a sentence that says how to have it. Where CI=true
// nothing is skipped: the test fails.
package outside

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Missing skips the test, or fails it where CI=true.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Images returns the folder that holds real/ (FITS images of many instruments), peers/ and
// oracle.py: the environment variable SELTZER_FITS.
func Images(t testing.TB) string {
	return folder(t, "SELTZER_FITS", "real", "real FITS images and their judge")
}

// Standards returns the folder that holds xsd/ (the IVOA's schemas): the environment
// variable SELTZER_IVOA.
func Standards(t testing.TB) string {
	return folder(t, "SELTZER_IVOA", "xsd", "the IVOA's XML schemas")
}

func folder(t testing.TB, variable, child, what string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		Missing(t, "%s is not set: it names the folder of %s", variable, what)
	}
	if _, err := os.Stat(filepath.Join(dir, child)); err != nil {
		t.Fatalf("%s=%s holds no %s: %v", variable, dir, child, err)
	}
	return dir
}

// Tool returns the path of a program.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "the program %s is not installed: %v", name, err)
	}
	return path
}

// Python returns a Python that has the modules: that of SELTZER_PYTHON, else the first of
// /usr/bin/python3 (where Debian's packages are) and python3 that does.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	candidates := []string{"/usr/bin/python3", "python3"}
	if chosen := os.Getenv("SELTZER_PYTHON"); chosen != "" {
		candidates = []string{chosen}
	}
	for _, python := range candidates {
		// #nosec G204 -- of tests
		if exec.Command(python, "-c", "import "+strings.Join(append([]string{"sys"}, modules...), ", ")).Run() == nil {
			return python
		}
	}
	Missing(t, "none of %v is a Python with %v; SELTZER_PYTHON can name another", candidates, modules)
	return ""
}

// Run runs a program and returns what it printed; the test fails if it fails.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &out)
	}
	return out.String()
}

// Judge holds a cutout, made by stencil from an HDU of source, against the independent
// oracle; args are further ones of it.
func Judge(t testing.TB, source, hdu, stencil, cutout string, args ...string) {
	t.Helper()
	python := Python(t, "astropy", "numpy", "fitsio")
	cmd := exec.Command(python, append([]string{filepath.Join(Images(t), "oracle.py"), source, hdu, stencil, cutout}, args...)...) // #nosec G204 -- of tests
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the oracle refuses %s of %s[%s]: %v\n%s", stencil, filepath.Base(source), hdu, err, out)
	}
}
