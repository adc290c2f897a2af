package terms

// monthNames are months as dates write them, folded: in full, in the genitive where
// a language uses it, and shortened. A name means the same month in all languages
// listed.
var monthNames = [12]string{
	"january jan januar janner januari janvier janv enero ene gennaio gen janeiro tammikuuta stycznia ledna januar ocak января янв січня ιανουαριου",
	"february feb februar februari fevrier fevr fev febrero febbraio febb fevereiro helmikuuta lutego unora subat февраля фев лютого φεβρουαριου",
	"march mar marz mrz maerz maart mars marzo marco marts maaliskuuta marca brezna mart марта березня μαρτιου",
	"april apr avril avr abril abr aprile huhtikuuta kwietnia dubna nisan апреля апр квітня απριλιου",
	"may mai mayo maggio mag maio mei maj toukokuuta maja kvetna mayis мая травня μαιου",
	"june jun juni juin junio giugno giu junho kesakuuta czerwca cervna haziran июня июн червня ιουνιου",
	"july jul juli juillet juil julio luglio lug julho heinakuuta lipca cervence temmuz июля июл липня ιουλιου",
	"august aug aout agosto ago augusti augustus elokuuta sierpnia srpna agustos августа авг серпня αυγουστου",
	"september sep sept septembre septiembre settembre set setembro syyskuuta wrzesnia zari eylul сентября сен вересня σεπτεμβριου",
	"october oct oktober okt octobre octubre ottobre ott outubro out lokakuuta pazdziernika rijna ekim октября окт жовтня οκτωβριου",
	"november nov novembre noviembre novembro marraskuuta listopada listopadu kasim ноября ноя листопада νοεμβριου",
	"december dec dezember dez decembre diciembre dic dicembre dezembro joulukuuta grudnia prosince aralik декабря дек грудня δεκεμβριου",
}

// datePhrase is what a text says beside a date of itself, folded.
type datePhrase struct {
	kind   DateKind
	phrase string
	// weak phrases are also words of running text: they count only in a line of
	// their own.
	weak bool
}

// phrasesBeforeDate stand before the date.
var phrasesBeforeDate = []datePhrase{
	{DateEffective, "effective date", false}, {DateEffective, "date of effect", false}, {DateEffective, "date effective", false}, {DateEffective, "effective", true},
	{DateEffective, "in effect", true}, {DateEffective, "into effect", true}, {DateEffective, "takes effect", true}, {DateEffective, "in force", true}, {DateEffective, "into force", true}, {DateEffective, "valid from", true}, {DateEffective, "applies from", true}, {DateEffective, "applicable", true},
	{DateUpdated, "last updated", false}, {DateUpdated, "last update", false}, {DateUpdated, "last modified", false}, {DateUpdated, "last revised", false}, {DateUpdated, "last revision", false}, {DateUpdated, "last amended", false}, {DateUpdated, "last changed", false}, {DateUpdated, "last edited", false}, {DateUpdated, "last reviewed", false}, {DateUpdated, "date of last revision", false}, {DateUpdated, "latest update", false}, {DateUpdated, "date modified", false}, {DateUpdated, "revision date", false}, {DateUpdated, "most recently updated", false}, {DateUpdated, "date last updated", false}, {DateUpdated, "recently updated", true}, {DateUpdated, "updated", true}, {DateUpdated, "update", true}, {DateUpdated, "modified", true}, {DateUpdated, "revised", true}, {DateUpdated, "amended", true}, {DateUpdated, "version", true}, {DateUpdated, "current", true},
	{DatePublished, "published", true}, {DatePublished, "publication date", false}, {DatePublished, "posted", true}, {DatePublished, "date of publication", false}, {DatePublished, "issued", true}, {DatePublished, "established", true},

	{DateEffective, "生效日期", false}, {DateEffective, "生效时间", false}, {DateEffective, "生效日", false}, {DateEffective, "生效時間", false}, {DateEffective, "实施日期", false}, {DateEffective, "施行日期", false}, {DateEffective, "生效", true}, {DateEffective, "施行", true},
	{DateUpdated, "更新日期", false}, {DateUpdated, "更新时间", false}, {DateUpdated, "更新時間", false}, {DateUpdated, "最近更新", false}, {DateUpdated, "最后更新", false}, {DateUpdated, "最後更新", false}, {DateUpdated, "最新更新", false}, {DateUpdated, "最后更新于", false}, {DateUpdated, "上次更新", false}, {DateUpdated, "修订日期", false}, {DateUpdated, "修訂日期", false}, {DateUpdated, "最近修订", false}, {DateUpdated, "最后修订", false}, {DateUpdated, "更新于", false}, {DateUpdated, "更新", true}, {DateUpdated, "修订", true}, {DateUpdated, "版本日期", false}, {DateUpdated, "版本更新日期", false},
	{DatePublished, "发布日期", false}, {DatePublished, "发布时间", false}, {DatePublished, "發布日期", false}, {DatePublished, "公布日期", false}, {DatePublished, "发布", true}, {DatePublished, "公布", true},

	{DateEffective, "施行日", false}, {DateEffective, "発効日", false}, {DateEffective, "適用日", false}, {DateEffective, "効力発生日", false}, {DateEffective, "発効", true}, {DateEffective, "適用開始日", false}, {DateEffective, "有効日", false},
	{DateUpdated, "最終更新日", false}, {DateUpdated, "最終更新", false}, {DateUpdated, "最終改定日", false}, {DateUpdated, "最終改定", false}, {DateUpdated, "最終改訂日", false}, {DateUpdated, "最終改訂", false}, {DateUpdated, "改定日", false}, {DateUpdated, "改訂日", false}, {DateUpdated, "更新日", false}, {DateUpdated, "改正日", false}, {DateUpdated, "改定", true}, {DateUpdated, "改訂", true},
	{DatePublished, "制定日", false}, {DatePublished, "公開日", false}, {DatePublished, "制定", true}, {DatePublished, "公表日", false},

	{DateEffective, "시행일자", false}, {DateEffective, "시행일", false}, {DateEffective, "적용일자", false}, {DateEffective, "효력발생일", false}, {DateEffective, "발효일", false},
	{DateUpdated, "최종 수정일", false}, {DateUpdated, "최종 업데이트", false}, {DateUpdated, "마지막 업데이트", false}, {DateUpdated, "최종 개정일", false}, {DateUpdated, "개정일자", false}, {DateUpdated, "개정일", false}, {DateUpdated, "변경일자", false}, {DateUpdated, "최근 업데이트", false},
	{DatePublished, "공고일자", false}, {DatePublished, "공고일", false}, {DatePublished, "게시일", false}, {DatePublished, "제정일", false},

	{DateEffective, "gultig ab", false}, {DateEffective, "gultig seit", false}, {DateEffective, "gultigkeitsdatum", false}, {DateEffective, "gilt ab", false}, {DateEffective, "gelten ab", false}, {DateEffective, "in kraft seit", false}, {DateEffective, "in kraft ab", false}, {DateEffective, "inkrafttreten", false}, {DateEffective, "datum des inkrafttretens", false}, {DateEffective, "wirksam ab", false}, {DateEffective, "wirksam seit", false}, {DateEffective, "wirksam zum", false}, {DateEffective, "tritt", true}, {DateEffective, "treten", true}, {DateEffective, "datum des in-kraft-tretens", false}, {DateEffective, "gultig", true},
	{DateUpdated, "stand", true}, {DateUpdated, "stand der informationen", false}, {DateUpdated, "letzte aktualisierung", false}, {DateUpdated, "zuletzt aktualisiert", false}, {DateUpdated, "zuletzt geandert", false}, {DateUpdated, "letzte anderung", false}, {DateUpdated, "letzte uberarbeitung", false}, {DateUpdated, "letzten uberarbeitung", false}, {DateUpdated, "letzten aktualisierung", false}, {DateUpdated, "letzten anderung", false}, {DateUpdated, "uberarbeitet", true}, {DateUpdated, "zuletzt uberarbeitet", false}, {DateUpdated, "aktualisiert", true}, {DateUpdated, "aktualisierung", true}, {DateUpdated, "fassung", true}, {DateUpdated, "in der fassung", true},
	{DatePublished, "veroffentlicht", true}, {DatePublished, "veroffentlichungsdatum", false},

	{DateEffective, "entree en vigueur", false}, {DateEffective, "date d'entree en vigueur", false}, {DateEffective, "en vigueur", true}, {DateEffective, "date d'effet", false}, {DateEffective, "prise d'effet", false}, {DateEffective, "entrent en vigueur", false}, {DateEffective, "entre en vigueur", false}, {DateEffective, "applicables", true}, {DateEffective, "applicable", true}, {DateEffective, "en vigueur a compter", false}, {DateEffective, "en vigueur depuis", false}, {DateEffective, "a compter", true},
	{DateUpdated, "derniere mise a jour", false}, {DateUpdated, "dernieres mises a jour", false}, {DateUpdated, "derniere modification", false}, {DateUpdated, "derniere actualisation", false}, {DateUpdated, "derniere revision", false}, {DateUpdated, "date de mise a jour", false}, {DateUpdated, "mise a jour", true}, {DateUpdated, "mis a jour", true}, {DateUpdated, "mises a jour", true}, {DateUpdated, "modifie", true}, {DateUpdated, "modifiee", true}, {DateUpdated, "date de revision", false}, {DateUpdated, "revise", true}, {DateUpdated, "revisee", true}, {DateUpdated, "date de derniere mise a jour", false}, {DateUpdated, "date de la derniere mise a jour", false},
	{DatePublished, "publie", true}, {DatePublished, "publiee", true}, {DatePublished, "date de publication", false},

	{DateEffective, "entrada en vigor", false}, {DateEffective, "entrada en vigencia", false}, {DateEffective, "fecha de vigencia", false}, {DateEffective, "fecha de entrada en vigor", false}, {DateEffective, "en vigor", true}, {DateEffective, "vigente", true}, {DateEffective, "vigentes", true}, {DateEffective, "en vigencia", true}, {DateEffective, "vigencia", true}, {DateEffective, "fecha de efectividad", false}, {DateEffective, "fecha efectiva", false}, {DateEffective, "entra en vigor", false}, {DateEffective, "entran en vigor", false},
	{DateUpdated, "ultima actualizacion", false}, {DateUpdated, "ultima modificacion", false}, {DateUpdated, "ultima revision", false}, {DateUpdated, "fecha de actualizacion", false}, {DateUpdated, "fecha de la ultima actualizacion", false}, {DateUpdated, "actualizado", true}, {DateUpdated, "actualizada", true}, {DateUpdated, "actualizacion", true},
	{DatePublished, "fecha de publicacion", false}, {DatePublished, "publicado", true}, {DatePublished, "publicada", true},

	{DateEffective, "entrada em vigor", false}, {DateEffective, "data de vigencia", false}, {DateEffective, "em vigor", true}, {DateEffective, "data de entrada em vigor", false}, {DateEffective, "data efetiva", false},
	{DateUpdated, "ultima atualizacao", false}, {DateUpdated, "ultima modificacao", false}, {DateUpdated, "ultima alteracao", false}, {DateUpdated, "data de atualizacao", false}, {DateUpdated, "atualizado", true}, {DateUpdated, "atualizada", true}, {DateUpdated, "ultima revisao", false},
	{DateEffective, "data di entrata in vigore", false}, {DateEffective, "entrata in vigore", false}, {DateEffective, "in vigore", true}, {DateEffective, "data di decorrenza", false}, {DateEffective, "data di validita", false},
	{DateUpdated, "ultimo aggiornamento", false}, {DateUpdated, "ultima modifica", false}, {DateUpdated, "data ultimo aggiornamento", false}, {DateUpdated, "ultima revisione", false}, {DateUpdated, "aggiornato", true}, {DateUpdated, "aggiornata", true}, {DateUpdated, "aggiornamento", true},
	{DateEffective, "ingangsdatum", false}, {DateEffective, "van kracht", true}, {DateEffective, "geldig vanaf", false}, {DateEffective, "inwerkingtreding", false},
	{DateUpdated, "laatst bijgewerkt", false}, {DateUpdated, "laatste update", false}, {DateUpdated, "laatst gewijzigd", false}, {DateUpdated, "laatst aangepast", false}, {DateUpdated, "laatste wijziging", false}, {DateUpdated, "bijgewerkt", true}, {DateUpdated, "versie", true},
	{DateEffective, "ikrafttraedelsesdato", false}, {DateEffective, "gaeldende fra", false}, {DateUpdated, "sidst opdateret", false}, {DateUpdated, "senest opdateret", false}, {DateUpdated, "opdateret", true}, {DateUpdated, "sist oppdatert", false}, {DateUpdated, "oppdatert", true}, {DateEffective, "galler fran", false}, {DateEffective, "gallande fran", false}, {DateUpdated, "senast uppdaterad", false}, {DateUpdated, "senast andrad", false}, {DateUpdated, "uppdaterad", true}, {DateUpdated, "viimeksi paivitetty", false}, {DateUpdated, "paivitetty", true},
	{DateEffective, "data wejscia w zycie", false}, {DateEffective, "obowiazuje od", false}, {DateEffective, "wchodzi w zycie", false}, {DateUpdated, "ostatnia aktualizacja", false}, {DateUpdated, "data ostatniej aktualizacji", false}, {DateUpdated, "zaktualizowano", true},
	{DateEffective, "вступает в силу", false}, {DateEffective, "вступают в силу", false}, {DateEffective, "дата вступления в силу", false}, {DateEffective, "деиствует с", false}, {DateUpdated, "последнее обновление", false}, {DateUpdated, "дата последнего обновления", false}, {DateUpdated, "обновлено", true}, {DateUpdated, "последняя редакция", false}, {DateUpdated, "редакция", true}, {DateUpdated, "редакция от", true}, {DatePublished, "опубликовано", true}, {DatePublished, "дата публикации", false},
	{DateUpdated, "останнє оновлення", false}, {DateEffective, "набуває чинності", false}, {DateUpdated, "τελευταια ενημερωση", false}, {DateEffective, "yururluk tarihi", false}, {DateUpdated, "son guncelleme", false}, {DateUpdated, "son guncelleme tarihi", false},
}

// openingPhrases count only where a line begins with them.
var openingPhrases = map[string]bool{"a compter": true}

// phrasesAfterDate stand after it: "2024年11月15日生效". They count in a line only.
var phrasesAfterDate = []datePhrase{
	{DateEffective, "生效", true}, {DateEffective, "施行", true}, {DateEffective, "实施", true}, {DateEffective, "起生效", true}, {DateEffective, "発効", true}, {DateEffective, "시행", true}, {DateEffective, "적용", true}, {DateEffective, "в силу", true}, {DateEffective, "in kraft", true},
	{DateUpdated, "更新", true}, {DateUpdated, "修订", true}, {DateUpdated, "修訂", true}, {DateUpdated, "最終更新", true}, {DateUpdated, "改定", true}, {DateUpdated, "改訂", true}, {DateUpdated, "改正", true}, {DateUpdated, "最終改定", true}, {DateUpdated, "最終改訂", true}, {DateUpdated, "一部改定", true}, {DateUpdated, "개정", true}, {DateUpdated, "수정", true},
	{DatePublished, "发布", true}, {DatePublished, "發布", true}, {DatePublished, "公布", true}, {DatePublished, "制定", true}, {DatePublished, "公開", true}, {DatePublished, "제정", true}, {DatePublished, "공고", true},
}

// dateConnectors are words that may stand between a phrase and its date.
var dateConnectors = wordSet(`on as of from since the date is was are at to this these our your on: upon and
	terms term privacy policy policies notice agreement statement service services use document version conditions legal page cookie cookies
	am vom zum den dem seit ab der die das von ist datum datenschutzerklarung agb
	le du au depuis a compter partir de la les date des cette presente version jour politique confidentialite
	el del desde partir fecha los las esta il dal dalla data em desde de op per vanaf datum den d fra fran pr z dnia od с от г
	于 為 为 是 自 日 期 では の は を より から 付 年月日 于: monday tuesday wednesday thursday friday saturday sunday
	montag dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miercoles jueves viernes sabado domingo`)

// dateFollowers are what may stand between a date and a phrase after it.
var dateFollowers = []string{"起", "より", "から", "付", "付け", "に", "正式", "日", "부터", "에", "일자로", "자로", "г.", "года", "년", "最終"}

// japaneseEras are eras with the year before their first.
var japaneseEras = []struct {
	name   string
	before int
}{{"令和", 2018}, {"平成", 1988}}
