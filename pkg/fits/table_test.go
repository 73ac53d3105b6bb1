package fits

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestKeywordsAreFoundAfterAnyEdit compares the table with a look at each card, through
// edits of headers and of their clones.
func TestKeywordsAreFoundAfterAnyEdit(t *testing.T) {
	keys := []string{"A", "B", "C1", "NAXIS1", "NAXIS2", "NAXIS3", "BITPIX", "NAXIS", "LONGKEYWORD", "TWO WORDS", "COMMENT", "HISTORY", "CONTINUE"}
	check := func(t *rapid.T, h *Header, after string) {
		for _, key := range append(keys, "two words", "ABSENT") {
			want := slices.IndexFunc(h.cards, func(c Card) bool { return canonical(c.Keyword()) == canonical(key) })
			if got := h.find(key); got != want {
				t.Fatalf("after %s: %s is found at card %d, stands at %d", after, key, got, want)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		headers := []*Header{NewPrimary(8, []int64{3, 4})}
		for range rapid.IntRange(1, 40).Draw(t, "edits") {
			h := rapid.SampledFrom(headers).Draw(t, "header")
			key := rapid.SampledFrom(keys).Draw(t, "key")
			value := rapid.SampledFrom([]any{1, 2.5, "text", fmt.Sprintf("%0100d", 7), nil}).Draw(t, "value")
			edit := rapid.SampledFrom([]string{"Set", "SetAfter", "Delete", "Append", "AddHistory", "Clone", "SetShape", "find"}).Draw(t, "edit")
			switch edit {
			case "Set":
				_ = h.Set(key, value, "") // refused for commentary
			case "SetAfter":
				_ = h.SetAfter("A", key, value, "a comment")
			case "Delete":
				h.Delete(key)
			case "Append":
				h.Append(newCard(key+"  = 5"), newCard("B       = 'two of them'"))
			case "AddHistory":
				h.AddHistory("text")
			case "Clone":
				headers = append(headers, h.Clone())
			case "SetShape":
				if h.isFirst() {
					if err := h.SetShape(16, make([]int64, rapid.IntRange(0, 4).Draw(t, "axes"))); err != nil {
						t.Fatal(err)
					}
				}
			case "find":
				h.find(key)
			}
			if rapid.Bool().Draw(t, "not yet") {
				continue // several edits may meet one table
			}
			for _, each := range headers {
				check(t, each, edit)
			}
		}
	})
}

// TestThousandsOfKeywords: building and looking up stays fast, and grows.
func TestThousandsOfKeywords(t *testing.T) {
	h := new(Header)
	for i := range 3000 {
		if err := h.Set(fmt.Sprintf("K%d", i), i, ""); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3000 {
		if n, ok, err := h.Int(fmt.Sprintf("K%d", i)); n != int64(i) || !ok || err != nil {
			t.Fatalf("K%d = %d, %t, %v", i, n, ok, err)
		}
	}
}
