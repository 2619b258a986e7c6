"""The texts of the demo's letters, in many scripts. No person in them exists: most names are those of offices."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """The senders, subjects and sentences of a language, and the charsets in which it was written before UTF-8."""

    people: tuple[tuple[str, str], ...]
    """Display names and local parts."""
    subjects: tuple[str, ...]
    sentences: tuple[str, ...]
    charsets: tuple[str, ...]


ENGLISH = Language(
    (("Front Desk", "desk"), ("Reading Room", "reading.room"), ("Harbour Office", "harbour"), ("Ada Example", "ada")),
    ("Minutes of the last meeting", "Draft of the contract", "📦 Your parcel is on its way", "Figures of the quarter"),
    ("The meeting moves to Thursday at ten.", "Nothing to do for you, this is for information.",
     "Please find the figures below.", "A short answer is enough.", "The key hangs where it always hangs.",
     "We have room for twelve, and tea for twenty."),
    ("us-ascii",),
)  # fmt: skip
GERMAN = Language(
    (("Müller, Büro", "buero"), ("Zoë Muster", "zoe"), ("Lager Süd", "lager"), ("Empfang", "empfang")),
    ("Übersicht der Termine", "Rückfrage zur Lieferung", "Übersicht: offene Punkte", "Schlüsselübergabe am Freitag"),
    ("Bitte bestätigen Sie die Übergabe bis Freitag.", "Die Übersicht hängt an.", "Das kostet 40 € mehr als gedacht.",
     "Wir hören „nichts Neues“ – also bleibt es dabei.", "Größe und Gewicht stehen im Anhang."),
    ("windows-1252", "iso-8859-15"),
)  # fmt: skip
FRENCH = Language(
    (("Accueil", "accueil"), ("Hélène Exemple", "helene"), ("Bureau des prêts", "prets")),
    ("Réunion reportée à jeudi", "Compte rendu de l'été", "Ça avance"),
    ("La réunion est reportée à jeudi.", "Merci de répondre avant la fin du mois.", "Le café est prêt.",
     "Voilà ce que nous avons noté."),
    ("iso-8859-1", "windows-1252"),
)  # fmt: skip
POLISH = Language(
    (("Biuro Obsługi", "biuro"), ("Żaneta Przykład", "zaneta")),
    ("Zażółć gęślą jaźń", "Zmiana godziny spotkania", "Potwierdzenie zamówienia"),
    ("Spotkanie przesunięto na czwartek.", "Proszę o krótką odpowiedź.", "Załączam zestawienie."),
    ("iso-8859-2",),
)  # fmt: skip
RUSSIAN = Language(
    (("Отдел закупок", "zakupki"), ("Пример Почты", "primer"), ("Читальный зал", "zal")),
    ("Перенос встречи", "Счёт за август", "Вопросы по договору"),
    ("Встреча переносится на четверг.", "Счёт во вложении.", "Прошу подтвердить получение.", "Ключ на вахте."),
    ("koi8-r", "windows-1251"),
)  # fmt: skip
GREEK = Language(
    (("Γραφείο Παράδειγμα", "grafeio"), ("Γραμματεία", "grammateia")),
    ("Συνάντηση την Πέμπτη", "Πρόγραμμα Σεπτεμβρίου"),
    ("Η συνάντηση μεταφέρεται στην Πέμπτη.", "Παρακαλώ απαντήστε σύντομα.", "Ευχαριστώ πολύ."),
    ("iso-8859-7",),
)  # fmt: skip
JAPANESE = Language(
    (("例示 太郎", "reiji"), ("総務部", "soumu"), ("図書室", "toshoshitsu")),
    ("会議の日程変更について", "資料の送付", "来週の予定"),
    ("会議は木曜日の十時に変更になりました。", "資料を添付しました。", "ご確認をお願いいたします。",
     "表の中に「ソ」と「能」の字があります。"),
    ("shift_jis", "iso-2022-jp", "euc-jp"),
)  # fmt: skip
CHINESE = Language(
    (("示例办公室", "shili"), ("图书馆前台", "qiantai")),
    ("会议改期通知", "九月工作安排", "请确认收货"),
    ("会议改到星期四上午十点。", "附件是本月的数据。", "请在周五之前回复。", "谢谢。"),
    ("gb2312", "gb18030"),
)  # fmt: skip
KOREAN = Language(
    (("예시 사서함", "yesi"), ("회계팀", "hoegye")),
    ("회의록 공유", "다음 주 일정"),
    ("회의가 목요일 열 시로 옮겨졌습니다.", "자료를 첨부합니다.", "확인 부탁드립니다."),
    ("euc-kr",),
)  # fmt: skip
ARABIC = Language(
    (("مكتب المثال", "mithal"), ("الاستقبال", "istiqbal")),
    ("تحديث المشروع", "موعد الاجتماع"),
    ("تم تأجيل الاجتماع إلى يوم الخميس.", "يرجى الرد قبل نهاية الشهر.", "المرفق هو جدول المواعيد."),
    ("windows-1256", "iso-8859-6"),
)  # fmt: skip
HEBREW = Language(
    (("משרד הדוגמה", "dugma"), ("מזכירות", "mazkirut")),
    ("הפגישה נדחתה", "סיכום חודשי"),
    ("הפגישה נדחתה ליום חמישי.", "נא לאשר קבלה.", "הקובץ מצורף."),
    ("windows-1255", "iso-8859-8"),
)  # fmt: skip
HINDI = Language(
    (("उदाहरण कार्यालय", "udaharan"), ("पुस्तकालय", "pustakalay")),
    ("बैठक का नया समय", "मासिक विवरण"),
    ("बैठक अब गुरुवार को दस बजे होगी।", "कृपया उत्तर दें।", "विवरण संलग्न है।"),
    ("utf-8",),
)  # fmt: skip
THAI = Language(
    (("สำนักงานตัวอย่าง", "tuayang"), ("ห้องสมุด", "hongsamut")),
    ("เลื่อนการประชุม", "กำหนดการเดือนหน้า"),
    ("การประชุมเลื่อนไปเป็นวันพฤหัสบดี", "กรุณายืนยันการรับเอกสาร", "ขอบคุณมาก"),
    ("tis-620",),
)  # fmt: skip
LANGUAGES = (
    ENGLISH, GERMAN, FRENCH, POLISH, RUSSIAN, GREEK, JAPANESE, CHINESE, KOREAN, ARABIC, HEBREW, HINDI, THAI,
)  # fmt: skip
"""Thirteen, a prime: so every language is combined with every form of letter."""
