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
	"sync"
	"testing"
	"time"
)

// startTime is how long an emulator may take until it answers, on a busy machine.
const startTime = 2 * time.Minute

// Firestore returns the host and port of Google's Firestore emulator, and points the
// clients that this process makes at it: that of FIRESTORE_EMULATOR_HOST if it is set, else
// one that is started for this process and ends with it.
func Firestore(t testing.TB) string {
	t.Helper()
	return emulator(t, "FIRESTORE_EMULATOR_HOST", firestore)
}

// PubSub returns the host and port of Google's Pub/Sub emulator, as [Firestore] does, by
// PUBSUB_EMULATOR_HOST.
func PubSub(t testing.TB) string {
	t.Helper()
	return emulator(t, "PUBSUB_EMULATOR_HOST", pubSub)
}

func emulator(t testing.TB, variable string, start func() (string, error)) string {
	t.Helper()
	host, err := start()
	if err != nil {
		Missing(t, "%v; set %s to one that runs, or install the Google Cloud SDK with its emulators, and Java", err, variable)
	}
	return host
}

var firestore = sync.OnceValues(func() (string, error) {
	return startEmulator("FIRESTORE_EMULATOR_HOST", "cloud-firestore-emulator/cloud-firestore-emulator.jar",
		func(jar, port string) []string {
			return []string{"-cp", jar, "com.google.cloud.datastore.emulator.firestore.CloudFirestore", "--host", "127.0.0.1", "--port", port}
		})
})

var pubSub = sync.OnceValues(func() (string, error) {
	return startEmulator("PUBSUB_EMULATOR_HOST", "pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
		func(jar, port string) []string { return []string{"-jar", jar, "--host=127.0.0.1", "--port=" + port} })
})

// startEmulator starts a program of the Google Cloud SDK, unless the variable names one that
// runs, and sets the variable. The program ends with this process, however that ends: a
// shell waits for the end of its input, of which this process holds the other end.
func startEmulator(variable, jar string, args func(jar, port string) []string) (string, error) {
	if host := os.Getenv(variable); host != "" {
		return host, nil
	}
	for _, program := range []string{"sh", "java"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("no emulator can be started: %w", err)
		}
	}
	path, err := sdkFile(jar)
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	java := append([]string{"-Xmx512m", "-Duser.language=en"}, args(path, port)...)
	out, err := os.CreateTemp("", "emulator-*.log")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd := exec.Command("sh", append([]string{"-c", `java "$@" </dev/null & java=$!; cat >/dev/null; kill "$java"`, "sh"}, java...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = ownGroup() // an interrupt at the terminal goes to the tests alone
	if _, err := cmd.StdinPipe(); err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	running = append(running, cmd)
	host := net.JoinHostPort("127.0.0.1", port)
	if err := answers(host); err != nil {
		log, _ := os.ReadFile(out.Name())
		return "", fmt.Errorf("the emulator %s does not start: %w\n%s", filepath.Base(path), err, bytes.TrimSpace(log))
	}
	return host, os.Setenv(variable, host)
}

// running keeps the open ends of the emulators' inputs from the garbage collector.
var running []*exec.Cmd

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

func freePort() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
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
