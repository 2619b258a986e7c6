import{a,b,c,d,e,f}from"./chunk-OYBL7RUS.js";import"./chunk-JAYNYBTP.js";export{d as canWake,c as startWaking,f as stopWaking,e as wake,b as wakingOf,a as wakings};
