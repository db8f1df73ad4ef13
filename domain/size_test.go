package domain_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func TestEncodedSizeOfEachCharacter(t *testing.T) {
	for char := range rune(0x10000) {
		text := string(char)
		require.Equal(t, jsonSize(t, text), domain.EncodedSize(text), "%U", char)
	}
	for lead := range 256 {
		text := string([]byte{byte(lead)})
		require.Equal(t, jsonSize(t, text), domain.EncodedSize(text), "%x", text)
	}
}

func TestEncodedSizeIsThatOfGoJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyText().Draw(t, "text")
		require.Equal(t, jsonSize(t, text), domain.EncodedSize(text), "%q", text)
	})
}

func TestCutEncodedIsTheLongestStartThatFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, limit := anyText().Draw(t, "text"), rapid.IntRange(-2, 60).Draw(t, "limit")
		cut, whole := domain.CutEncoded(text, limit)
		require.True(t, strings.HasPrefix(text, cut))
		require.Equal(t, whole, cut == text)
		if whole {
			require.LessOrEqual(t, domain.EncodedSize(cut), max(0, limit))
			return
		}
		require.LessOrEqual(t, domain.EncodedSize(cut), max(0, limit))
		_, width := utf8.DecodeRuneInString(text[len(cut):])
		require.Greater(t, domain.EncodedSize(text[:len(cut)+width]), limit)
	})
}

func TestCutEncodedNeverCutsACharacterInTwo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		cut, _ := domain.CutEncoded(text, rapid.IntRange(0, 60).Draw(t, "limit"))
		require.True(t, utf8.ValidString(cut))
	})
}

func TestSizesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		require.Equal(t, domain.EncodedSize(a)+domain.EncodedSize(b), domain.EncodedSize(a+b))
	})
}

// jsonSize is the length of a text in JSON, without the quotes, as payloads encode it.
func jsonSize(t require.TestingT, text string) int {
	encoded, err := json.Marshal(text)
	require.NoError(t, err)
	return len(encoded) - 2
}
