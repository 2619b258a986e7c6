"""Names that mail programs give the folders with a role, for servers without SPECIAL-USE (RFC 6154), by language."""

_NAMES = {
    "sent": (
        "sent|sent items|sent messages|sent mail|sent-mail|gesendet|gesendete elemente|gesendete objekte"
        "|gesendete nachrichten|envoyés|éléments envoyés|messages envoyés|enviados|elementos enviados|mensajes enviados"
        "|correo enviado|inviati|posta inviata|elementi inviati|itens enviados|mensagens enviadas|verzonden"
        "|verzonden items|verzonden berichten|skickat|skickade|skickade objekt|sendt|sendte elementer|sendte meddelelser"
        "|lähetetyt|lähetetyt viestit|wysłane|elementy wysłane|odeslané|odeslaná pošta|odoslané|odoslaná pošta|elküldött"
        "|elküldött elemek|elküldött üzenetek|trimise|elemente trimise|изпратени|απεσταλμένα|gönderilenler"
        "|gönderilmiş öğeler|gönderilmiş postalar|отправленные|отправленные элементы|надіслані|відправлені"
        "|נשלחו|פריטים שנשלחו|المرسلة|العناصر المرسلة|البريد المرسل|送信済み|送信済みアイテム|送信済みメール|보낸 편지함|보낸편지함"
        "|已发送|已发送邮件|已發送|寄件備份"
    ),
    "drafts": (
        "drafts|draft|entwürfe|brouillons|borradores|bozze|rascunhos|concepten|utkast|kladder|kladde|luonnokset"
        "|robocze|szkice|wersje robocze|kopie robocze|koncepty|rozepsané|rozpísané|piszkozatok|vázlatok|ciorne|чернови"
        "|πρόχειρα|taslaklar|черновики|чернетки|טיוטות|مسودات|المسودات|下書き|임시 보관함|임시보관함|草稿|草稿箱|草稿匣"
    ),
    "trash": (
        "trash|bin|deleted|deleted items|deleted messages|papierkorb|gelöschte elemente|gelöschte objekte|gelöscht"
        "|corbeille|éléments supprimés|papelera|elementos eliminados|eliminados|cestino|posta eliminata"
        "|elementi eliminati|lixo|lixeira|itens eliminados|itens excluídos|prullenbak|verwijderde items"
        "|verwijderde berichten|papperskorg|papperskorgen|borttaget|borttagna objekt|papirkurv|slettet post"
        "|slettede elementer|søppelkasse|søppel|roskakori|poistetut|kosz|elementy usunięte|koš|odstraněná pošta|kôš"
        "|odstránená pošta|kuka|lomtár|törölt elemek|coș de gunoi|elemente șterse|кошче|изтрити|κάδος|διαγραμμένα"
        "|çöp kutusu|çöp|silinmiş öğeler|корзина|удаленные|удалённые|кошик|видалені|אשפה|פריטים שנמחקו|المهملات"
        "|سلة المهملات|العناصر المحذوفة|ゴミ箱|ごみ箱|削除済みアイテム|휴지통|지운 편지함|垃圾桶|已删除|已删除邮件|已刪除的郵件|回收站"
    ),
    "junk": (
        "junk|spam|junk e-mail|junk email|junk mail|bulk|bulk mail|spamverdacht|unerwünscht|junk-e-mail|courrier indésirable"
        "|indésirables|pourriel|correo no deseado|no deseado|posta indesiderata|indesiderata|lixo eletrónico"
        "|lixo eletrônico|ongewenst|ongewenste e-mail|ongewenste reclame|skräppost|uønsket mail|uønsket post|søppelpost"
        "|roskaposti|wiadomości-śmieci|niechciane|nevyžádaná pošta|nevyžádané|nevyžiadaná pošta|levélszemét"
        "|mesaje nedorite|nedorite|нежелана поща|спам|ανεπιθύμητα|ανεπιθύμητη αλληλογραφία|önemsiz|önemsiz e-posta"
        "|нежелательная почта|небажана пошта|דואר זבל|דואר לא רצוי|بريد عشوائي|البريد العشوائي|البريد غير الهام|迷惑メール"
        "|스팸|스팸 메일함|정크 메일|垃圾邮件|垃圾郵件"
    ),
    "archive": (
        "archive|archives|archiv|archivo|archivados|archivio|arquivo|arquivados|archief|arkiv|arkisto|archiwum|archív"
        "|archívum|arhivă|arhiva|архив|архів|αρχείο|αρχειοθήκη|arşiv|ארכיון|الأرشيف|أرشيف|アーカイブ|보관함|보관|归档|存档|封存"
    ),
}

ROLES = {name: role for role, names in _NAMES.items() for name in names.split("|")}
"""Role by name, lower case."""
