package outside

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTime is how long an emulator may take until it answers, on a busy machine.
const startTime = 2 * time.Minute

// Firestore returns the host and port of Google's Firestore emulator, as [StartFirestore]
// does; a test without one is skipped.
func Firestore(t testing.TB) string {
	t.Helper()
	return emulator(t, StartFirestore)
}

// PubSub returns the host and port of Google's Pub/Sub emulator, as [StartPubSub] does; a
// test without one is skipped.
func PubSub(t testing.TB) string {
	t.Helper()
	return emulator(t, StartPubSub)
}

func emulator(t testing.TB, start func() (string, error)) string {
	t.Helper()
	host, err := start()
	if err != nil {
		Missing(t, "%v", err)
	}
	return host
}

// StartFirestore returns the host and port of Google's Firestore emulator, and points the
// clients that this process makes at it: that of FIRESTORE_EMULATOR_HOST if it is set, else
// one that is started for this process and ends with it.
var StartFirestore = sync.OnceValues(func() (string, error) {
	host, err := startEmulator("FIRESTORE_EMULATOR_HOST", "cloud-firestore-emulator/cloud-firestore-emulator.jar",
		func(jar, port string) []string {
			return []string{"-cp", jar, "com.google.cloud.datastore.emulator.firestore.CloudFirestore", "--host", "127.0.0.1", "--port", port}
		})
	if err != nil {
		return "", err
	}
	return host, firstWrite(host)
})

// firstWrite writes a document, which takes the emulator seconds when it has just started.
func firstWrite(host string) error {
	address := "http://" + host + "/v1/projects/first/databases/(default)/documents/first/write"
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPatch, address, strings.NewReader(`{"fields": {}}`))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := (&http.Client{Timeout: startTime, Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the emulator of Firestore on %s takes no document: %s", host, answer.Status)
	}
	return nil
}

// StartPubSub is [StartFirestore] for Pub/Sub and PUBSUB_EMULATOR_HOST.
var StartPubSub = sync.OnceValues(func() (string, error) {
	return startEmulator("PUBSUB_EMULATOR_HOST", "pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
		func(jar, port string) []string { return []string{"-jar", jar, "--host=127.0.0.1", "--port=" + port} })
})

// startEmulator starts a program of the Google Cloud SDK, unless the variable names one that
// runs, and sets the variable.
func startEmulator(variable, jar string, args func(jar, port string) []string) (host string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("there is no emulator: %w; set %s to one that runs, or install the Google Cloud SDK with its emulators, and Java", err, variable)
		}
	}()
	if host := os.Getenv(variable); host != "" {
		return host, nil
	}
	if _, err := exec.LookPath("java"); err != nil {
		return "", err
	}
	path, err := sdkFile(jar)
	if err != nil {
		return "", err
	}
	host, err = FreeAddress()
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(host)
	out, err := os.CreateTemp("", "emulator-*.log")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	child, err := NewChild("java", append([]string{"-Xmx512m", "-Duser.language=en"}, args(path, port)...)...)
	if err != nil {
		return "", err
	}
	child.Stdout, child.Stderr = out, out
	// Nobody waits for it: it ends with this process, whose tests look for goroutines that are left.
	if err := child.Cmd.Start(); err != nil {
		return "", err
	}
	running = append(running, child)
	if err := answers(host); err != nil {
		log, _ := os.ReadFile(out.Name())
		return "", fmt.Errorf("%s does not start: %w\n%s", filepath.Base(path), err, bytes.TrimSpace(log))
	}
	return host, os.Setenv(variable, host)
}

// running keeps the emulators' inputs from the garbage collector, which would close them.
var running []*Child

// sdkFile returns the path of a file below platform/ of the Google Cloud SDK.
func sdkFile(pattern string) (string, error) {
	gcloud, err := exec.LookPath("gcloud")
	if err == nil {
		gcloud, err = filepath.EvalSymlinks(gcloud)
	}
	if err != nil {
		return "", fmt.Errorf("the Google Cloud SDK is not installed: %w", err)
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(gcloud)), "platform", pattern))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("the Google Cloud SDK of %s holds no %s", gcloud, pattern)
	}
	return found[0], nil
}

// answers waits until an emulator answers.
func answers(host string) (err error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(startTime); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var answer *http.Response
		if answer, err = client.Get("http://" + host + "/"); err == nil {
			return answer.Body.Close()
		}
	}
	return fmt.Errorf("no answer on %s within %v: %w", host, startTime, err)
}
