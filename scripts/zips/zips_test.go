package main

import (
	"archive/zip"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// mainFile is what the buildpack generates for a source whose root package imports the
// framework. Source: GoogleCloudPlatform/buildpacks, cmd/go/functions_framework/lib,
// template of declarative functions.
const mainFile = `package main

import (
	"log"
	"net/http"
	"os"

	_ "` + module + `"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() {
	http.HandleFunc("/robots.txt", http.NotFound)
	http.HandleFunc("/favicon.ico", http.NotFound)

	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	if err := funcframework.Start(port); err != nil {
		log.Fatalf("Function failed to start: %v\n", err)
	}
}
`

// deployed is what a deployment sets. Emulators that are not there stand for the cloud: the
// function is asked for nothing that would reach them.
var deployed = []string{
	"SELTZER_PROJECT=p", "SELTZER_TOPIC_INTERACTIVE=i", "SELTZER_TOPIC_BULK=b", "SELTZER_ARCHIVES=dr1=https://archive.example.org/dr1",
	"SELTZER_AUTHORITY=example.org", "SELTZER_PUBLIC_URL=https://soda.example.org", "SELTZER_SIGNER_URL=https://signer.example.org",
	"SELTZER_RESULTS_BUCKET=results", "SELTZER_PUSH_ACCOUNT=push@example.org", "SELTZER_SWEEP_ACCOUNT=sweep@example.org",
	"SELTZER_SIGNING_ACCOUNT=signer@example.org", "SELTZER_SODA_ACCOUNT=soda@example.org", "SELTZER_AUDIENCE=https://cutout.example.org",
	"FIRESTORE_EMULATOR_HOST=127.0.0.1:1", "PUBSUB_EMULATOR_HOST=127.0.0.1:1", "STORAGE_EMULATOR_HOST=127.0.0.1:1",
}

// Each zip is the same each time, holds what its function needs and no more, and is built as
// the buildpack builds it, without the network; what was built starts, or says what it lacks.
func TestZips(t *testing.T) {
	if testing.Short() {
		t.Skip("builds each function with all that it needs; left out by -short")
	}
	outside.Tool(t, "go")
	for _, tt := range []struct {
		function     string
		method, path string
		env          []string
		status       int
		lacks        string // a variable that it cannot do without
		no           []string
	}{
		{"soda", http.MethodGet, "/", []string{"SELTZER_INSECURE=true"}, http.StatusOK, "SELTZER_SIGNER_URL", []string{"modernc.org", module + "/pkg/worker"}},
		{"cutout", http.MethodPost, "/", nil, http.StatusUnauthorized, "SELTZER_PUSH_ACCOUNT", []string{"modernc.org", module + "/cmd"}},
		{"signer", http.MethodPost, "/sign", []string{"SELTZER_SIGNING_KEY=" + keyFile(t)}, http.StatusUnauthorized, "SELTZER_SIGNING_ACCOUNT",
			[]string{"modernc.org", "github.com/aws", module + "/pkg/fits", module + "/pkg/api"}},
	} {
		t.Run(tt.function, func(t *testing.T) {
			dir := t.TempDir()
			first, err := write(filepath.Join(dir, "1.zip"), tt.function)
			if err != nil {
				t.Fatal(err)
			}
			second, err := write(filepath.Join(dir, "2.zip"), tt.function)
			if err != nil || first != second {
				t.Errorf("the zip has the SHA-256 %s, and then %s, %v", first, second, err)
			}
			source := filepath.Join(dir, "serverless_function_source_code")
			names := unpack(t, filepath.Join(dir, "1.zip"), source)
			for _, no := range append(tt.no, "github.com/fsouza") {
				in := "vendor/" + no + "/"
				if own, ok := strings.CutPrefix(no, module+"/"); ok {
					in = own + "/"
				}
				if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, in) }) {
					t.Errorf("the zip holds files of %s", no)
				}
			}
			if i := slices.IndexFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") }); i >= 0 {
				t.Errorf("the zip holds %s", names[i])
			}
			program := build(t, source)
			t.Run("starts", func(t *testing.T) {
				address := run(t, program, tt.function, append(deployed, tt.env...))
				if got := ask(t, tt.method, address+tt.path); got != tt.status {
					t.Errorf("%s %s: status %d, want %d", tt.method, tt.path, got, tt.status)
				}
			})
			t.Run("lacks a variable", func(t *testing.T) {
				cmd := exec.Command(program)
				cmd.Env = append(cmd.Environ(), append(deployed, "FUNCTION_TARGET="+tt.function, "PORT=0", tt.lacks+"=")...)
				out, err := cmd.CombinedOutput()
				if err == nil || !strings.Contains(string(out), tt.lacks+" is not set") {
					t.Errorf("it ended with %v and said\n%s", err, out)
				}
			})
		})
	}
}

func keyFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pem")
	outside.Run(t, outside.Tool(t, "openssl"), "genpkey", "-algorithm", "RSA", "-out", file)
	return file
}

// unpack unpacks a zip and returns the names in it.
func unpack(t *testing.T, file, dir string) (names []string) {
	t.Helper()
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	return names
}

// build builds a source as the buildpack does for Go 1.23 and later with a vendor folder.
func build(t *testing.T, source string) string {
	t.Helper()
	app := filepath.Join(source, "functions.local", "app")
	if err := os.MkdirAll(app, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "main.go"), []byte(mainFile), 0o666); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "main")
	cmd := exec.Command("go", "build", "-trimpath", "-o", program, app) // trimpath: so that what was built in another folder serves again
	cmd.Dir = source
	cmd.Env = append(cmd.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// run starts a function and returns its URL when it listens.
func run(t *testing.T, program, function string, env []string) string {
	t.Helper()
	address, err := outside.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	child, err := outside.NewChild(program)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	child.Env = append(child.Environ(), append(env, "FUNCTION_TARGET="+function, "PORT="+port)...)
	child.Stdout, child.Stderr = out, out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(child.Stop)
	if err := child.Listens(address, time.Minute); err != nil {
		text, _ := os.ReadFile(log)
		t.Fatalf("%s: %v\n%s", function, err, text)
	}
	return "http://" + address
}

func ask(t *testing.T, method, address string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %.300s", answer.Status, text)
	return answer.StatusCode
}
