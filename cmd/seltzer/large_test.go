package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// A cutout of a large image reads what it needs, and says how much that was. The image is
// a file of 1 GiB with a hole for its pixels, so it takes no room on the disk.
func TestLargeImageIsReadInPieces(t *testing.T) {
	const side = 16384
	dir := t.TempDir()
	h := fits.NewPrimary(-32, []int64{side, side})
	for _, c := range []struct {
		key   string
		value any
	}{
		{"CTYPE1", "RA---TAN"}, {"CTYPE2", "DEC--TAN"}, {"CRVAL1", 150.0}, {"CRVAL2", 2.0}, {"CRPIX1", side/2 + 0.5}, {"CRPIX2", side/2 + 0.5},
		{"CDELT1", -0.2 / 3600}, {"CDELT2", 0.2 / 3600},
	} {
		if err := h.Set(c.key, c.value, ""); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(dir, "large.fits"))
	if err != nil {
		t.Fatal(err)
	}
	header := h.Bytes()
	pixel := binary.BigEndian.AppendUint32(nil, 0x3f800000)
	middle := int64(len(header)) + 4*(side*(side/2-1)+side/2-1)
	for offset, b := range map[int64][]byte{0: header, middle: pixel} {
		if _, err := f.WriteAt(b, offset); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate((int64(len(header)) + 4*side*side + 2879) / 2880 * 2880); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// The race detector takes several times the memory, so the program is built without it.
	program := filepath.Join(t.TempDir(), "seltzer")
	outside.Run(t, outside.Tool(t, "go"), "build", "-o", program, ".")
	plain := func(ctx context.Context, args ...string) *exec.Cmd { return exec.CommandContext(ctx, program, args...) }
	s := startCommand(t, plain, filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", new(logBuffer), "--archive", "big="+dir)
	got := s.syncCut(t, "ID", "ivo://localhost/big?large.fits", "CIRCLE", fmt.Sprintf("150 2 %.10f", 127.5*0.2/3600))
	if got.StatusCode != http.StatusOK || len(got.Body) < 4*256*256 {
		t.Fatalf("%s, %d bytes", got.Status, len(got.Body))
	}
	if !strings.Contains(got.Body, string(pixel)) {
		t.Error("the one pixel in the middle of the image is not in the cutout")
	}
	read := number(t, `bytesRead=(\d+)`, s.log.String())
	if want := int64(3 * 4 * 256 * 256); read == 0 || read > want {
		t.Errorf("%d bytes were read for a cutout of %d; want at most %d", read, len(got.Body), want)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		outside.Missing(t, "this system does not tell a process's peak memory: %v", err)
	}
	peak := number(t, `VmHWM:\s*(\d+) kB`, string(status))
	t.Logf("%d bytes read of %d; peak memory of the server %d kB", read, int64(4*side*side), peak)
	if peak > 100_000 {
		t.Errorf("the server's peak memory is %d kB, want at most 100 MB", peak)
	}
}

// number returns the last number that matches a pattern in a text.
func number(t *testing.T, pattern, text string) int64 {
	t.Helper()
	all := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		t.Fatalf("nothing matches %s in:\n%s", pattern, text)
	}
	n, err := strconv.ParseInt(all[len(all)-1][1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
