package terms

import "unicode"

// scripts lists writing systems that tell a language, with that language. Han is
// Chinese unless kana stand beside it; Cyrillic and Arabic are looked at further.
var languageScripts = []struct {
	name  string
	table *unicode.RangeTable
	lang  string
}{
	{"Han", unicode.Han, "zh"},
	{"Hiragana", unicode.Hiragana, "ja"},
	{"Katakana", unicode.Katakana, "ja"},
	{"Hangul", unicode.Hangul, "ko"},
	{"Cyrillic", unicode.Cyrillic, "ru"},
	{"Greek", unicode.Greek, "el"},
	{"Arabic", unicode.Arabic, "ar"},
	{"Hebrew", unicode.Hebrew, "he"},
	{"Devanagari", unicode.Devanagari, "hi"},
	{"Thai", unicode.Thai, "th"},
	{"Bengali", unicode.Bengali, "bn"},
	{"Tamil", unicode.Tamil, "ta"},
	{"Telugu", unicode.Telugu, "te"},
	{"Kannada", unicode.Kannada, "kn"},
	{"Malayalam", unicode.Malayalam, "ml"},
	{"Gujarati", unicode.Gujarati, "gu"},
	{"Gurmukhi", unicode.Gurmukhi, "pa"},
	{"Georgian", unicode.Georgian, "ka"},
	{"Armenian", unicode.Armenian, "hy"},
	{"Khmer", unicode.Khmer, "km"},
	{"Lao", unicode.Lao, "lo"},
	{"Myanmar", unicode.Myanmar, "my"},
	{"Ethiopic", unicode.Ethiopic, "am"},
}

// functionWords are words that every text of a language in Latin letters is full
// of, folded. A word may stand in several: the language with most of them wins.
var functionWords = map[string]string{
	"en": "the of and to in you your we our or for that is are not with by this may any",
	"de": "der die das und oder nicht wir sie ist sind fur von zu mit den dem des ein eine auf werden durch konnen",
	"fr": "le la les des et ou vous nous votre nos est sont pour par dans que qui une sur avec du aux ne pas vos",
	"es": "el la los las y o usted su sus es son para por que en con del una no se como nuestro nuestros",
	"it": "il lo la gli le e o di che per con del della dei delle non sono una dati nel nostri dal si ai",
	"pt": "o a os as e ou voce seu seus nao para por que em com do da dos das uma sao nos no na ao",
	"nl": "de het een en of van wij u uw niet voor met op dat die zijn is door kunnen worden aan bij onze te",
	"da": "og eller af du vi din dine ikke til at det den en er for med pa som kan vores hvis fra blive",
	"sv": "och eller av du vi din dina inte till att det den en ar for med pa som kan vara om fran vi var",
	"nb": "og eller av du vi din dine ikke til at det den en er for med pa som kan vare hvis fra bli",
	"fi": "ja tai on ei se etta voi voimme sinun kun jos kuin ovat niiden seka tietoja kayttaa palvelun mukaan ole",
	"pl": "i lub w z na do nie sie jest sa oraz przez dla od po ktore moze uzytkownik danych o ze",
	"cs": "a nebo v z na do ne se je jsou pro od po ktere muze udaju o ze k jako podle vase nase",
	"hu": "a az es vagy nem hogy is egy azt ha meg kell lehet valamint on szerint altal adatok",
	"ro": "si sau de la in nu este sunt pentru prin cu care din un o ale dumneavoastra va al sa",
	"tr": "ve veya bir bu icin ile da de olarak olan kisisel tarafindan gibi daha kadar sizin en hizmet verilerin degil",
	"vi": "va hoac cua ban cho khong chung toi trong nay cac co duoc voi la de khi mot nhung thong tin",
	"id": "dan atau yang di anda kami untuk dengan tidak dari ini dalam ke pada adalah dapat oleh akan kepada",
	"ca": "el la els les i o vostre de que per amb del una no es com nostre seu dels pot aquesta",
}

// Letters that a language of a shared script has and its neighbours lack.
const (
	lettersUkrainian = "іїєґІЇЄҐ"
	lettersPersian   = "پچژگکی"
	lettersUrdu      = "ٹڈڑےہں"
)

// Characters of frequent words, in the form that only one of the two scripts of
// Chinese uses.
const (
	hanSimplified  = "们个这为务户权处条线规认证络据关业现时间问题应该责违发联见产实际内无从网隐护"
	hanTraditional = "們個這為務戶權處條線規認證絡據關業現時間問題應該責違發聯見產實際內無從網隱護"
)
