package objects_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seltzer-soda/seltzer/pkg/objects"
)

const killSize = 200_000

// TestMain is the writer of TestSurvivesKill in a process of its own; else it runs the
// tests and finds goroutines that they leave.
func TestMain(m *testing.M) {
	if dir := os.Getenv("OBJECTS_TEST_WRITE"); dir != "" {
		writeForever(dir)
	}
	goleak.VerifyTestMain(m)
}

// writeForever writes objects and prints the name of each after its Close.
func writeForever(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	b, err := objects.OpenBucket(ctx, dir)
	fail(err)
	piece := make([]byte, 1000)
	for i := 0; ; i++ {
		w, err := b.Create(ctx, fmt.Sprintf("results/%d/%d/r.fits", os.Getpid(), i), "application/fits")
		fail(err)
		for range killSize / len(piece) {
			_, err := w.Write(piece)
			fail(err)
		}
		fail(w.Close())
		fmt.Println(w.Name())
	}
}

// TestSurvivesKill kills a process that writes objects. Each object whose Close returned is
// there, each that is there is whole, and what the dead left behind can be listed and deleted.
func TestSurvivesKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	written := make(map[string]bool)
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "OBJECTS_TEST_WRITE="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if strings.HasPrefix(lines.Text(), "failed") {
				t.Fatal(lines.Text())
			}
			written[lines.Text()] = true
			if n == 3+7*round {
				cmd.Process.Kill() // what was printed before it died is still read
			}
		}
		cmd.Wait()
	}
	b, err := objects.OpenBucket(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	left := 0
	for name, err := range b.List(t.Context(), "results") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".tmp") {
			left++
		} else {
			o, err := b.Open(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if o.Size() != killSize {
				t.Errorf("%s has %d bytes; want %d or no object", name, o.Size(), killSize)
			}
			o.Close()
			delete(written, name)
		}
		if err := b.Delete(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if len(written) > 0 {
		t.Errorf("%d objects are lost whose Close returned nil", len(written))
	}
	// A folder made for a file that was never begun may be left, empty; no file may.
	if err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("%s is left after deleting all that was listed", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	t.Logf("%d unfinished files were left by 5 kills", left)
}
