import{a,b,c,d,e,f}from"./chunk-SHDOWWSD.js";import"./chunk-QANHUJGG.js";export{d as canWake,c as startWaking,f as stopWaking,e as wake,b as wakingOf,a as wakings};
