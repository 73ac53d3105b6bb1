package outside_test

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

func child(t *testing.T, script string) *outside.Child {
	t.Helper()
	c, err := outside.NewChild("sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

// A program that ends in place of listening is not waited for, and not taken for another that
// listens.
func TestListensOfAChildThatEnded(t *testing.T) {
	address, err := outside.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	err = child(t, "exit 3").Listens(address, time.Minute)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Listens returned %v; want the exit status", err)
	}
	if err := child(t, "exec sleep 60").Listens(address, 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), "after 50ms") {
		t.Errorf("Listens returned %v; want that it does not listen", err)
	}
}

// A child that is told to end can tidy up; one that is killed cannot.
func TestEndsOfAChild(t *testing.T) {
	for _, tt := range []struct {
		end  func(*outside.Child)
		want bool
	}{{(*outside.Child).Stop, true}, {(*outside.Child).Kill, false}} {
		mark := t.TempDir() + "/mark"
		c := child(t, `trap 'touch "`+mark+`"; exit' TERM; : >"`+mark+`.ready"; while :; do sleep 0.05; done`)
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(mark + ".ready"); err == nil {
				break
			}
		}
		tt.end(c)
		if _, err := os.Stat(mark); (err == nil) != tt.want {
			t.Errorf("the mark of a child that ended: %v, want one: %t", err, tt.want)
		}
	}
}

// Addresses are free, lie where no connection that goes out is put, and no two are the same.
func TestFreeAddress(t *testing.T) {
	given := map[string]bool{}
	for range 50 {
		address, err := outside.FreeAddress()
		if err != nil {
			t.Fatal(err)
		}
		if given[address] {
			t.Errorf("%s was given twice", address)
		}
		given[address] = true
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil || a.Port >= 32768 {
			t.Errorf("%s: %v; want a port below 32768", address, err)
		}
	}
}
